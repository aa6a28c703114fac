import { useEffect } from "react";
import { DownloadPanel } from "./components/DownloadPanel.tsx";
import { EventLog } from "./components/EventLog.tsx";
import { GraphCard } from "./components/GraphCard.tsx";
import { Header } from "./components/Header.tsx";
import { InputPanel } from "./components/InputPanel.tsx";
import { LatencyTable } from "./components/LatencyTable.tsx";
import { ManifestPanel } from "./components/ManifestPanel.tsx";
import { ModelsCard } from "./components/ModelsCard.tsx";
import { OutputPanel } from "./components/OutputPanel.tsx";
import { Rings } from "./components/Rings.tsx";
import { Signals } from "./components/Signals.tsx";
import { Timeline } from "./components/Timeline.tsx";
import { Transport } from "./components/Transport.tsx";
import { VoiceCard } from "./components/VoiceCard.tsx";
import { controller, listDevices, open } from "./session.ts";

export function App() {
  useEffect(() => {
    const abort = new AbortController();
    // Later, because StrictMode mounts twice: what the first mount would begin never begins.
    const timer = setTimeout(() => void open(abort.signal), 0);
    const devices = () => void listDevices();
    navigator.mediaDevices?.addEventListener("devicechange", devices);
    return () => {
      abort.abort();
      clearTimeout(timer);
      navigator.mediaDevices?.removeEventListener("devicechange", devices);
      void controller.close();
    };
  }, []);

  return (
    <>
      <a href="#main" className="sr-only rounded-b-lg bg-accent px-4 py-2 text-accent-ink focus:not-sr-only focus:fixed focus:top-0 focus:left-4 focus:z-50">
        Skip to the pipeline
      </a>
      <Header />
      <main id="main" tabIndex={-1} className="mx-auto grid max-w-[1500px] grid-cols-1 gap-4 px-4 pb-40 outline-none sm:px-6 lg:grid-cols-[minmax(20rem,26rem)_minmax(0,1fr)] lg:pb-10">
        <Transport className="lg:col-span-2" />
        <GraphCard className="lg:col-span-2" />
        {/* On a phone the two columns are one, in another order. */}
        <div className="contents min-w-0 flex-col gap-4 lg:flex">
          <InputPanel />
          <OutputPanel />
          <ModelsCard className="order-2 lg:order-none" />
          <DownloadPanel className="order-2 lg:order-none" />
          <ManifestPanel className="order-3 lg:order-none" />
          <Rings className="order-5 lg:order-none" />
        </div>
        <div className="contents min-w-0 flex-col gap-4 lg:flex">
          <VoiceCard />
          <Signals className="order-1 lg:order-none" />
          <Timeline className="order-1 lg:order-none" />
          <LatencyTable className="order-4 lg:order-none" />
          <EventLog className="order-6 lg:order-none" />
        </div>
      </main>
    </>
  );
}
