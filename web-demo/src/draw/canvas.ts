// Canvases that have as many pixels as the screen has there.

/** Calls back at once, on every change of size, and on a change of theme; returns how to end it. */
export function onCanvasChange(canvas: HTMLCanvasElement, redraw: () => void): () => void {
  const fit = () => {
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale));
    const height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
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
