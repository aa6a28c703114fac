// Power spectra for pictures: an iterative radix-2 FFT with a Hann window.

export class Spectrum {
  readonly #size: number;
  readonly #window: Float32Array;
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;
  readonly #real: Float32Array;
  readonly #imag: Float32Array;

  /** `size` is a power of two. */
  constructor(size: number) {
    this.#size = size;
    this.#window = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
    this.#cos = Float32Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sin = Float32Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    this.#real = new Float32Array(size);
    this.#imag = new Float32Array(size);
  }

  /** dBFS per bin (a full-scale sine gives 0), of `size` samples from `offset`; what is not there is silence. */
  decibels(samples: Float32Array, offset: number, out: Float32Array): void {
    const [n, real, imag] = [this.#size, this.#real, this.#imag];
    for (let i = 0, j = 0; i < n; i += 1) {
      real[j] = (samples[offset + i] ?? 0) * (this.#window[i] as number);
      // The next index in bit-reversed order.
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
    }
    imag.fill(0);
    for (let half = 1; half < n; half <<= 1) {
      const stride = n / (2 * half);
      for (let start = 0; start < n; start += 2 * half) {
        for (let k = 0; k < half; k += 1) {
          const cos = this.#cos[k * stride] as number;
          const sin = this.#sin[k * stride] as number;
          const a = start + k;
          const b = a + half;
          const re = (real[b] as number) * cos - (imag[b] as number) * sin;
          const im = (real[b] as number) * sin + (imag[b] as number) * cos;
          real[b] = (real[a] as number) - re;
          imag[b] = (imag[a] as number) - im;
          real[a] = (real[a] as number) + re;
          imag[a] = (imag[a] as number) + im;
        }
      }
    }
    const scale = (4 / n) ** 2;
    for (let i = 0; i < out.length; i += 1) {
      out[i] = 10 * Math.log10(scale * ((real[i] as number) ** 2 + (imag[i] as number) ** 2) + 1e-12);
    }
  }
}
