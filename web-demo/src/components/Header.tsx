import { useStore } from "../store.ts";
import { Badge } from "./controls.tsx";

export function Header() {
  const link = useStore((state) => state.link);
  const reason = useStore((state) => state.linkReason);
  const kept = useStore((state) => state.keptOffline);
  return (
    <header className="mx-auto flex max-w-[1500px] items-center justify-between gap-4 px-4 py-3 sm:px-6">
      <div className="flex min-w-0 items-center gap-3">
        <img src="./icon.svg" alt="" width="32" height="32" className="shrink-0" />
        <div className="min-w-0 leading-tight">
          <h1 className="font-semibold tracking-tight">RemoteMedia</h1>
          <p className="truncate text-xs text-soft">Python pipelines in this tab</p>
        </div>
      </div>
      <div className="flex min-w-0 flex-col items-end text-right" data-testid="link-kind" data-link={link ?? ""}>
        <span className="flex flex-wrap justify-end gap-1.5">
        {kept && (
          <Badge data-testid="offline" title="What you have loaded is kept on this device: the page works without a network">
            Works offline
          </Badge>
        )}
          <Badge tone={link === "transferred" ? "warn" : link ? "accent" : "plain"}>
          {link === "shared" ? "Shared memory" : link === "transferred" ? "Transferred buffers" : "Not loaded yet"}
        </Badge>
        </span>
        {reason && (
          <span className="mt-0.5 max-w-56 truncate text-xs text-soft sm:max-w-xl" title={reason}>
            {reason}
          </span>
        )}
      </div>
    </header>
  );
}
