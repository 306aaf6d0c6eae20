// The search from afar: turns and zooms of a small picture, and for each all shifts at once by correlation.
//
// For every shift the correlation is that of what both pictures show there, divided by the energies of just that
// (Padfield, Masked object registration in the Fourier domain, 2012; the bands have no mean to take off).

import { Fourier, type Complex } from "./fourier.js";
import { type Generator, STILL, type Size, exponential, scaled, similarityGenerator, unit } from "./motion.js";
import type { Grey } from "./resizing.js";
import { inside, places, sampled } from "./sampling.js";

/** Short side of the searched picture, in pixels. */
export const SEARCHED = 48;
/** Degrees and logarithms of zooms that are tried. */
const TURNS = Array.from({ length: 13 }, (_, k) => 4 * k - 24);
const ZOOMS = Array.from({ length: 7 }, (_, k) => (Math.log(1.22) * (k - 3)) / 3);
/** The largest shift, as a share of each side. */
const SHIFT = 0.17;
/** Shifts of each turn and zoom that are kept. */
const KEPT = 4;

/** The best `count` motions between bands; no two lie within the reach of refining of each other. */
export function candidates(x: Grey, y: Grey, size: Size, count: number): Generator[] {
  const reach = reaching(x, SHIFT);
  const correlation = new Correlation(x, y, size, reach);
  const pixel = size.width / x.width / unit(size);
  let peaks: Peak[] = [];
  for (const degrees of TURNS) {
    for (const zoom of ZOOMS) {
      const turn = (degrees * Math.PI) / 180;
      const surface = correlation.surface([0, 0, zoom, turn]);
      for (const { score, place } of highest(surface, KEPT)) {
        const right = ((place % (2 * reach.width + 1)) - reach.width) * pixel;
        const down = (Math.floor(place / (2 * reach.width + 1)) - reach.height) * pixel;
        peaks.push({ score, right, down, zoom, turn });
      }
    }
  }
  const chosen: Generator[] = [];
  while (chosen.length < count && peaks.length > 0) {
    const best = peaks.reduce((one, other) => (other.score > one.score ? other : one));
    chosen.push(similarityGenerator(best.right, best.down, best.zoom, best.turn));
    peaks = peaks.filter(
      ({ right, down, zoom, turn }) =>
        Math.max(Math.abs(right - best.right), Math.abs(down - best.down)) > 3.5 * pixel ||
        Math.abs(turn - best.turn) > (6 * Math.PI) / 180 ||
        Math.abs(zoom - best.zoom) > 0.1,
    );
  }
  return chosen;
}

/** How like itself a band is, moved past its own main lobe; 1 for periodic pictures. */
export function repeats(x: Grey): number {
  const reach = reaching(x, 1.5 * SHIFT);
  const surface = new Correlation(x, x, x, reach).surface(STILL);
  const [columns, rows] = [2 * reach.width + 1, 2 * reach.height + 1];
  let most = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = surface[row * columns + column];
      if (value <= most || (row - reach.height) ** 2 + (column - reach.width) ** 2 <= 4) continue;
      // The main lobe falls off before anything that repeats rises again.
      if (isPeak(surface, columns, rows, row, column)) most = value;
    }
  }
  return most;
}

interface Peak {
  readonly score: number;
  readonly right: number;
  readonly down: number;
  readonly zoom: number;
  readonly turn: number;
}

function reaching({ width, height }: Size, share: number): Size {
  return { width: Math.max(1, Math.ceil(share * width)), height: Math.max(1, Math.ceil(share * height)) };
}

function isPeak(surface: Float32Array, columns: number, rows: number, row: number, column: number): boolean {
  const value = surface[row * columns + column];
  for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) {
      if (surface[r * columns + c] > value) return false;
    }
  }
  return true;
}

/** The greatest values of a surface and where they are, from the greatest down. */
function highest(surface: Float32Array, count: number): { score: number; place: number }[] {
  const found: { score: number; place: number }[] = [];
  surface.forEach((score, place) => {
    if (found.length === count && score <= found[count - 1].score) return;
    found.push({ score, place });
    found.sort((one, other) => other.score - one.score);
    found.length = Math.min(count, found.length);
  });
  return found;
}

/** A picture carried by any motion against another at every shift within reach. */
class Correlation {
  private readonly fourier: Fourier;
  /** The transforms of y and of its square. */
  private readonly ofY: Complex;
  private readonly ofSquares: Complex;
  private readonly picture: Complex;
  private readonly spectrum: Complex;
  private readonly product: Complex;
  private readonly floor: number;

  constructor(
    private readonly x: Grey,
    y: Grey,
    private readonly size: Size,
    private readonly reach: Size,
  ) {
    const [width, height] = [x.width + reach.width, x.height + reach.height].map((side) => 2 ** Math.ceil(Math.log2(side)));
    this.fourier = new Fourier(width, height);
    this.ofY = this.fourier.empty();
    this.ofSquares = this.fourier.empty();
    this.picture = this.fourier.empty();
    this.spectrum = this.fourier.empty();
    this.product = this.fourier.empty();
    this.transform(y.data, y.data.map((value) => value * value));
    this.separate((k, yRe, yIm, squareRe, squareIm) => {
      this.ofY.re[k] = yRe;
      this.ofY.im[k] = yIm;
      this.ofSquares.re[k] = squareRe;
      this.ofSquares.im[k] = squareIm;
    });
    const energy = ({ data }: Grey) => data.reduce((sum, value) => sum + value * value, 0);
    // Where next to nothing is left of either, a correlation means nothing.
    this.floor = 0.1 * Math.min(energy(x), energy(y)) + 1e-6;
  }

  /** (2 reach + 1) rows and columns: the correlation at each shift, from up left to down right. */
  surface(generator: Generator): Float32Array {
    const { fourier, reach, floor, ofY, ofSquares, product, picture } = this;
    const { width, height } = this.x;
    const there = places(exponential(scaled(generator, -1)), this.x, this.size);
    const seen = inside(this.x, [there], 0.5);
    const moved = sampled(this.x, there).data;
    for (let k = 0; k < moved.length; k++) moved[k] *= seen[k];
    const energy = new Sums(moved, width, height);
    this.transform(moved, seen);
    // conj(x) y and conj(seen) y², one as the real and one as the imaginary part of what comes back.
    this.separate((k, xRe, xIm, seenRe, seenIm) => {
      const re = xRe * ofY.re[k] + xIm * ofY.im[k];
      const im = xRe * ofY.im[k] - xIm * ofY.re[k];
      const energyRe = seenRe * ofSquares.re[k] + seenIm * ofSquares.im[k];
      const energyIm = seenRe * ofSquares.im[k] - seenIm * ofSquares.re[k];
      product.re[k] = re - energyIm;
      product.im[k] = im + energyRe;
    });
    fourier.inverse(product, picture, reach.height + 1);
    const surface = new Float32Array((2 * reach.width + 1) * (2 * reach.height + 1));
    for (let down = -reach.height, at = 0; down <= reach.height; down++) {
      for (let right = -reach.width; right <= reach.width; right++, at++) {
        const k = ((down + fourier.height) % fourier.height) * fourier.width + ((right + fourier.width) % fourier.width);
        const ofX = energy.between(-right, -down, width - right, height - down);
        surface[at] = picture.re[k] / Math.sqrt(Math.max(floor, ofX)) / Math.sqrt(Math.max(floor, picture.im[k]));
      }
    }
    return surface;
  }

  /** Two real pictures at once: the second is the imaginary part. */
  private transform(first: ArrayLike<number>, second: ArrayLike<number>): void {
    const { fourier, picture, spectrum, x } = this;
    picture.re.fill(0);
    picture.im.fill(0);
    for (let row = 0, k = 0; row < x.height; row++) {
      for (let at = row * fourier.width; at < row * fourier.width + x.width; at++, k++) {
        picture.re[at] = first[k];
        picture.im[at] = second[k];
      }
    }
    fourier.forward(picture, spectrum, x.height);
  }

  /** Takes the transforms of both apart: that of a real picture is conjugate at opposite frequencies. */
  private separate(use: (k: number, re: number, im: number, otherRe: number, otherIm: number) => void): void {
    const { re, im } = this.spectrum;
    const { width, height } = this.fourier;
    for (let column = 0, k = 0; column < width; column++) {
      const opposite = ((width - column) % width) * height;
      for (let row = 0; row < height; row++, k++) {
        const other = opposite + ((height - row) % height);
        use(k, (re[k] + re[other]) / 2, (im[k] - im[other]) / 2, (im[k] + im[other]) / 2, (re[other] - re[k]) / 2);
      }
    }
  }
}

/** Sums of squares over rectangles of a picture. */
class Sums {
  private readonly table: Float64Array;

  constructor(
    data: Float32Array,
    private readonly width: number,
    private readonly height: number,
  ) {
    this.table = new Float64Array((width + 1) * (height + 1));
    for (let row = 0, k = 0; row < height; row++) {
      let line = 0;
      for (let column = 0; column < width; column++, k++) {
        line += data[k] * data[k];
        const at = (row + 1) * (width + 1) + column + 1;
        this.table[at] = this.table[at - width - 1] + line;
      }
    }
  }

  /** Over what lies inside of the picture; the right and the lower end are left out. */
  between(left: number, top: number, right: number, bottom: number): number {
    const at = (x: number, y: number) =>
      this.table[Math.min(this.height, Math.max(0, y)) * (this.width + 1) + Math.min(this.width, Math.max(0, x))];
    return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
  }
}
