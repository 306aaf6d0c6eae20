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
      const other = reversed[k];
      if (other <= k) continue;
      [re[start + k], re[start + other]] = [re[start + other], re[start + k]];
      [im[start + k], im[start + other]] = [im[start + other], im[start + k]];
    }
    for (let half = 1; half < length; half *= 2) {
      const step = length / (2 * half);
      for (let k = 0; k < half; k++) {
        const [cosine, sine] = [cosines[k * step], sines[k * step]];
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

/** A complex picture, rows from the top. */
export interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Fourier transforms of pictures whose sides are powers of two. */
export class Fourier {
  private readonly row: Line;
  private readonly column: Line;
  private readonly turned: Spectrum;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.row = new Line(width);
    this.column = new Line(height);
    this.turned = this.empty();
  }

  empty(): Spectrum {
    const count = this.width * this.height;
    return { re: new Float64Array(count), im: new Float64Array(count) };
  }

  /** In place. */
  forward({ re, im }: Spectrum): void {
    const { width, height, turned } = this;
    for (let y = 0; y < height; y++) this.row.transform(re, im, y * width);
    transposed(re, turned.re, width, height);
    transposed(im, turned.im, width, height);
    for (let x = 0; x < width; x++) this.column.transform(turned.re, turned.im, x * height);
    transposed(turned.re, re, height, width);
    transposed(turned.im, im, height, width);
  }

  /** In place: the forward transform with real and imaginary parts exchanged. */
  inverse({ re, im }: Spectrum): void {
    this.forward({ re: im, im: re });
    const share = 1 / (this.width * this.height);
    for (let k = 0; k < re.length; k++) {
      re[k] *= share;
      im[k] *= share;
    }
  }
}

function transposed(from: Float64Array, to: Float64Array, width: number, height: number): void {
  for (let y = 0, k = 0; y < height; y++) for (let x = 0; x < width; x++, k++) to[x * height + y] = from[k];
}
