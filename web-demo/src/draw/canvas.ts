// Canvases that have as many pixels as the screen has there.

/** What a canvas shows, moved to its new right end: where a signal that scrolls goes on. */
function kept(canvas: HTMLCanvasElement): () => void {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  copy.getContext("2d")?.drawImage(canvas, 0, 0);
  return () => canvas.getContext("2d")?.drawImage(copy, canvas.width - copy.width, 0, copy.width, canvas.height);
}

/** Calls back at once, on every change of size, and on a change of theme; returns how to end it. */
export function onCanvasChange(canvas: HTMLCanvasElement, redraw: () => void): () => void {
  const fit = () => {
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale));
    const height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) {
      const restore = kept(canvas);
      canvas.width = width;
      canvas.height = height;
      restore();
    }
    redraw();
  };
  const observer = new ResizeObserver(fit);
  observer.observe(canvas);
  const theme = matchMedia("(prefers-color-scheme: dark)");
  theme.addEventListener("change", fit);
  return () => {
    observer.disconnect();
    theme.removeEventListener("change", fit);
  };
}
