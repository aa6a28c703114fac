// Buttons, switches and fields of one look.
import type { ButtonHTMLAttributes, ReactNode, SelectHTMLAttributes } from "react";

const LOOKS = {
  main: "bg-accent text-accent-ink border-transparent hover:brightness-110 font-semibold",
  plain: "bg-card text-text border-line hover:border-edge hover:bg-sunk",
} as const;

// Not by className: of two heights the style sheet decides, not the order they are named in.
const SIZES = {
  large: "h-10 rounded-xl px-2 text-sm sm:px-3.5",
  medium: "h-8 rounded-lg px-3 text-sm",
  small: "h-7 rounded-lg px-2.5 text-xs",
} as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
  size?: keyof typeof SIZES;
  "data-testid"?: string;
}

export function Button({ look = "plain", size = "large", className = "", ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`inline-flex items-center justify-center gap-2 border whitespace-nowrap transition disabled:cursor-not-allowed disabled:opacity-45 disabled:hover:brightness-100 ${SIZES[size]} ${LOOKS[look]} ${className}`}
      {...rest}
    />
  );
}

interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
  label: string;
  hideLabel?: boolean;
  "data-testid"?: string;
}

export function Select({ label, hideLabel = false, className = "", children, ...rest }: SelectProps) {
  return (
    <label className={`block min-w-0 text-sm ${className}`}>
      <span className={hideLabel ? "sr-only" : "mb-1 block text-xs font-medium text-soft"}>{label}</span>
      <select
        className="h-10 w-full min-w-0 truncate rounded-xl border border-line bg-card px-3 text-sm transition hover:border-edge disabled:opacity-50"
        {...rest}
      >
        {children}
      </select>
    </label>
  );
}

interface SwitchProps {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
  "data-testid"?: string;
}

export function Switch({ label, hint, checked, disabled = false, onChange, ...rest }: SwitchProps) {
  return (
    <label className={`flex items-center justify-between gap-4 py-1.5 text-sm ${disabled ? "opacity-50" : "cursor-pointer"}`}>
      <span className="min-w-0">
        {label}
        {hint !== undefined && <span className="block text-xs text-soft">{hint}</span>}
      </span>
      <span className="relative h-6 w-10 shrink-0">
        {/* Over its picture, invisible: it is what is clicked. */}
        <input
          type="checkbox"
          role="switch"
          className="peer absolute inset-0 z-10 size-full cursor-[inherit] opacity-0"
          checked={checked}
          disabled={disabled}
          onChange={(event) => onChange(event.target.checked)}
          {...rest}
        />
        <span
          aria-hidden
          className="absolute inset-0 rounded-full bg-edge/60 outline-offset-2 outline-accent transition peer-checked:bg-accent peer-focus-visible:outline-2 after:absolute after:top-0.5 after:left-0.5 after:size-5 after:rounded-full after:bg-card after:shadow-sm after:transition peer-checked:after:translate-x-4"
        />
      </span>
    </label>
  );
}

const TONES = {
  plain: "bg-sunk text-soft",
  accent: "bg-accent/12 text-accent",
  warn: "bg-warn-soft text-warn",
  danger: "bg-danger-soft text-danger",
} as const;

export type Tone = keyof typeof TONES;

export function Badge({ tone = "plain", className = "", children, ...rest }: { tone?: Tone; className?: string; children: ReactNode; title?: string; "data-testid"?: string; "data-state"?: string }) {
  return (
    <span className={`inline-flex h-6 items-center gap-1.5 rounded-full px-2.5 text-xs font-medium whitespace-nowrap ${TONES[tone]} ${className}`} {...rest}>
      {children}
    </span>
  );
}
