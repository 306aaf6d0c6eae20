/** Discrete Fourier transforms of one length, a power of two, in place: Cooley and Tukey's. */
class Line {
  private readonly reversed: Uint32Array;
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;

  constructor(private readonly length: number) {
    this.reversed = new Uint32Array(length);
    for (let k = 1; k < length; k++) this.reversed[k] = (this.reversed[k >> 1] >> 1) | (k & 1 ? length >> 1 : 0);
    const angles = Array.from({ length: length / 2 }, (_, k) => (-2 * Math.PI * k) / length);
    this.cosines = Float64Array.from(angles, Math.cos);
    this.sines = Float64Array.from(angles, Math.sin);
  }

  transform(re: Float64Array, im: Float64Array, start: number): void {
    const { length, reversed, cosines, sines } = this;
    for (let k = 0; k < length; k++) {
      if (reversed[k] > k) {
        exchange(re, start + k, start + reversed[k]);
        exchange(im, start + k, start + reversed[k]);
      }
    }
    for (let half = 1; half < length; half *= 2) {
      const step = length / (2 * half);
      for (let k = 0; k < half; k++) {
        const cosine = cosines[k * step];
        const sine = sines[k * step];
        for (let a = start + k; a < start + length; a += 2 * half) {
          const b = a + half;
          const right = re[b] * cosine - im[b] * sine;
          const up = re[b] * sine + im[b] * cosine;
          re[b] = re[a] - right;
          im[b] = im[a] - up;
          re[a] += right;
          im[a] += up;
        }
      }
    }
  }
}

export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Fourier transforms of pictures whose sides are powers of two. Spectra lie column by column. */
export class Fourier {
  private readonly row: Line;
  private readonly column: Line;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.row = new Line(width);
    this.column = new Line(height);
  }

  empty(): Complex {
    const count = this.width * this.height;
    return { re: new Float64Array(count), im: new Float64Array(count) };
  }

  /** The spectrum of a picture, which is lost; its rows from `filled` on hold zeros. */
  forward(picture: Complex, spectrum: Complex, filled = this.height): void {
    const { width, height } = this;
    for (let y = 0; y < filled; y++) this.row.transform(picture.re, picture.im, y * width);
    transpose(picture.re, spectrum.re, width, height);
    transpose(picture.im, spectrum.im, width, height);
    for (let x = 0; x < width; x++) this.column.transform(spectrum.re, spectrum.im, x * height);
  }

  /** The first and the last `rows` rows of the picture of a spectrum, which is lost. */
  inverse(spectrum: Complex, picture: Complex, rows: number): void {
    const { width, height } = this;
    // The forward transform, with real and imaginary parts exchanged.
    for (let x = 0; x < width; x++) this.column.transform(spectrum.im, spectrum.re, x * height);
    transpose(spectrum.re, picture.re, height, width);
    transpose(spectrum.im, picture.im, height, width);
    const share = 1 / (width * height);
    for (let y = 0; y < height; y++) {
      if (y >= rows && y < height - rows) continue;
      this.row.transform(picture.im, picture.re, y * width);
      for (let k = y * width; k < (y + 1) * width; k++) {
        picture.re[k] *= share;
        picture.im[k] *= share;
      }
    }
  }
}

function exchange(values: Float64Array, one: number, other: number): void {
  const kept = values[one];
  values[one] = values[other];
  values[other] = kept;
}

function transpose(from: Float64Array, to: Float64Array, width: number, height: number): void {
  for (let y = 0, k = 0; y < height; y++) for (let x = 0; x < width; x++, k++) to[x * height + y] = from[k];
}
