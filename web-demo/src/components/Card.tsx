import { useId, type ReactNode } from "react";

interface Props {
  title: string;
  /** Beside the title: figures, a switch. */
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Card({ title, aside, className = "", children }: Props) {
  const heading = useId();
  return (
    <section aria-labelledby={heading} className={`min-w-0 rounded-2xl border border-line bg-card ${className}`}>
      <header className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 px-4 pt-2">
        <h2 id={heading} className="text-sm font-semibold tracking-tight">
          {title}
        </h2>
        {aside}
      </header>
      <div className="px-4 pb-4">{children}</div>
    </section>
  );
}

/** What a part says while it has nothing to show; as high as what will come. */
export function Nothing({ children }: { children: ReactNode }) {
  return <p className="grid h-full min-h-16 place-items-center rounded-lg bg-sunk px-4 text-center text-sm text-soft">{children}</p>;
}
