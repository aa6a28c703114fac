import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RemoteMediaError } from "../src/errors.ts";
import { folder, indexOf, isText, isYaml, nameOf, packageOf, readManifest } from "../src/manifest-source.ts";
import { closeAll, serve } from "./server.ts";

beforeEach(() => void vi.stubGlobal("document", { baseURI: "https://example.test/app/page.html?q#h" }));
afterEach(async () => {
  vi.unstubAllGlobals();
  await closeAll();
});

describe("text or address", () => {
  test.each([
    "version: v1\nnodes: []\n", "version: v1", "nodes:", '{"version":"v1","nodes":[]}', "  {}", "[1]", "", " \n",
    "# https://example.test/a.yaml\nversion: v1", "version:v1\nnodes:[]", "\u{feff}{}",
  ])("%j is a manifest", (text) => expect(isText(text)).toBe(true));

  test.each([
    "pipeline.yaml", "./a/pipeline.json", "/pipelines/1", "../p", "https://example.test/a.yaml", "https://example.test/{id}",
    "blob:https://example.test/1-2", "data:application/json,{}", "a b.yaml", "//cdn.example.test/p.yaml", "http://x/y.yaml\n",
  ])("%j is an address", (text) => expect(isText(text)).toBe(false));
});

describe("a manifest", () => {
  const version = { version: "v1" };

  test("as it is", async () => {
    expect(await readManifest(version)).toEqual({ content: version, name: "manifest" });
    expect(await readManifest("version: v1", "mine")).toEqual({ content: "version: v1", name: "mine" });
  });

  test("by its address, relative to the page or a URL", async () => {
    const address = await serve((_, answer) => void answer.writeHead(200, { "Content-Type": "text/plain" }).end("version: v1\n"));
    vi.stubGlobal("document", { baseURI: `${address}/app/` });
    expect(await readManifest("a/p.yaml?x=1")).toEqual({ content: "version: v1\n", name: "p.yaml" });
    expect(await readManifest(new URL(`${address}/q.yaml`), "mine")).toEqual({ content: "version: v1\n", name: "mine" });
    expect(await readManifest("data:application/json,{}")).toMatchObject({ content: "{}" });
  });

  test.each([
    ["/404", /^the manifest http:.*\/404 cannot be had: HTTP 404 Not Found$/],
    ["/500", /cannot be had: HTTP 500$/],
    ["/page", /is an HTML page: is its address right\?$/],
  ])("that cannot be had: %s", async (path, expected) => {
    const address = await serve(({ url }, answer) => {
      if (url === "/page") answer.writeHead(200, { "Content-Type": "text/html" }).end("<html>");
      else if (url === "/500") answer.writeHead(500, "").end();
      else answer.writeHead(404).end();
    });
    const error: unknown = await readManifest(address + path).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RemoteMediaError);
    expect(error).toMatchObject({ code: "load", message: expect.stringMatching(expected) as string });
  });

  test("on a server that is away", async () => {
    const address = await serve(() => undefined);
    await closeAll();
    const loading = readManifest(`${address}/p.yaml`);
    await expect(loading).rejects.toMatchObject({ code: "load", message: expect.stringMatching(/p\.yaml cannot be fetched: /) as string });
    await expect(loading).rejects.toHaveProperty("cause");
  });

  test.each([
    ["version: v1", "manifest", true],
    ["", "manifest", true],
    ["{a: 1}", "manifest", true],
    ['\n {\n"a": 1}', "manifest", false],
    ["{ }", "manifest", false],
    ["\n[1]", "manifest", false],
    ['{"a": 1}', "p.yaml", true], // the name decides
    ['{"a": 1}', "P.YML", true],
    ["{a: 1}", "p.json", false],
  ])("%j, called %s: YAML %s", (content, name, expected) => expect(isYaml({ content, name })).toBe(expected));

  test("an object is never YAML", () => expect(isYaml({ content: version, name: "p.yaml" })).toBe(false));
});

describe("addresses", () => {
  test.each([
    "scipy", "SciPy>=1.11", "my-nodes[extra,more] == 1.0", "my_nodes~=2", "a @ https://example.test/a.whl", "a; python_version > '3'", "a.b",
  ])("the requirement %j stays", (given) => expect(packageOf(given)).toBe(given));

  test.each([
    ["my_nodes-1.0-py3-none-any.whl", "https://example.test/app/my_nodes-1.0-py3-none-any.whl"],
    ["wheels/a.whl", "https://example.test/app/wheels/a.whl"],
    ["../a.whl", "https://example.test/a.whl"],
    ["/a.whl", "https://example.test/a.whl"],
    ["https://other.test/a.whl", "https://other.test/a.whl"],
    ["emfs:/tmp/a.whl", "emfs:/tmp/a.whl"],
  ])("the wheel %j in full", (given, full) => expect(packageOf(given)).toBe(full));

  test("an index, by name or with a place for the package", () => {
    expect(indexOf("simple")).toBe("https://example.test/app/simple");
    expect(indexOf("/i/{package_name}/json")).toBe("https://example.test/i/{package_name}/json");
  });

  test("a folder has a slash at its end", () => {
    expect(folder("/pyodide").href).toBe("https://example.test/pyodide/");
    expect(folder("pyodide/").href).toBe("https://example.test/app/pyodide/");
    expect(folder(new URL("https://other.test")).href).toBe("https://other.test/");
  });

  test("the name of a file", () => {
    expect(nameOf("https://example.test/a/b.whl?x=/1#/y")).toBe("b.whl");
  });
});
