// Spectrograms: shades become pixels.
import { ROWS, type Picture } from "./picture.ts";

/** One or more columns of shades, low frequencies at the bottom, stretched to a place on the canvas. */
export class ShadePainter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #image: ImageData;

  constructor(columns: number) {
    this.#canvas = document.createElement("canvas");
    this.#canvas.width = columns;
    this.#canvas.height = ROWS;
    this.#context = this.#canvas.getContext("2d") as CanvasRenderingContext2D;
    this.#image = this.#context.createImageData(columns, ROWS);
  }

  paint(target: CanvasRenderingContext2D, shades: Uint8Array, ramp: Uint8ClampedArray, x: number, width: number): void {
    const { data, width: columns } = this.#image;
    for (let column = 0; column < columns; column += 1) {
      for (let row = 0; row < ROWS; row += 1) {
        const from = 4 * (shades[column * ROWS + row] as number);
        const to = 4 * ((ROWS - 1 - row) * columns + column);
        data[to] = ramp[from] as number;
        data[to + 1] = ramp[from + 1] as number;
        data[to + 2] = ramp[from + 2] as number;
        data[to + 3] = 255;
      }
    }
    this.#context.putImageData(this.#image, 0, 0);
    target.imageSmoothingEnabled = true;
    target.drawImage(this.#canvas, 0, 0, columns, ROWS, x, 0, width, target.canvas.height);
  }
}

export function drawSpectrogram(target: CanvasRenderingContext2D, picture: Picture, ramp: Uint8ClampedArray): void {
  new ShadePainter(picture.columns).paint(target, picture.shades, ramp, 0, target.canvas.width);
}
