// HTTP servers on 127.0.0.1 for a test.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const servers = new Set<Server>();

/** Answer by that function; gives the address, without a slash at its end. */
export async function serve(listener: (request: IncomingMessage, answer: ServerResponse) => void): Promise<string> {
  const server = createServer(listener);
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** End all of them, with their connections. */
export async function closeAll(): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  servers.clear();
}
