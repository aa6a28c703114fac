import { useEffect, useState } from "react";
import { useStore } from "../store.ts";

const STEP_MS = 100;

/** Media time of a live input, µs, a few times a second; 0 when it does not run. */
export function useLiveTime(running: boolean): number {
  const startedMs = useStore((state) => state.startedMs);
  const [us, setUs] = useState(0);
  useEffect(() => {
    setUs(0);
    if (!running || startedMs === null) return;
    const timer = setInterval(() => setUs((performance.now() - startedMs) * 1000), STEP_MS);
    return () => clearInterval(timer);
  }, [running, startedMs]);
  return us;
}
