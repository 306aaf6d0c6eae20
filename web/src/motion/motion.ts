// A shift, turn and zoom of the picture plane, kept as its logarithm so that inverting and halving it are exact.
//
// Coordinates are pixels, x to the right and y down, (0, 0) the centre of the top left pixel; a motion carries a scene
// point of the first picture to where the second shows it. Its logarithm is written in coordinates centred on the
// picture and divided by half of its longer side. There a motion is z -> a z + b on the complex plane.

/** The sides of a picture, in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The logarithm of a motion: shift to the right and down in units, logarithm of the zoom, turn in radians. */
export type Generator = readonly [right: number, down: number, zoom: number, turn: number];

export const STILL: Generator = [0, 0, 0, 0];

/** z -> (re + i im) z + (right + i down). */
export interface Similarity {
  readonly re: number;
  readonly im: number;
  readonly right: number;
  readonly down: number;
}

/** How a pair moved, and how sure that is; see `invariant_lpips/motion/motion.py`. */
export class Motion {
  constructor(
    /** The logarithm of the motion; 0 where none is claimed. */
    readonly generator: Generator,
    /** Whether a motion is claimed. */
    readonly found: boolean,
    /** In [0, 1]; without a claim how sure it is that nothing moved: 0 where nothing could be matched. */
    readonly confidence: number,
    /** The share of the picture that both show, in (0, 1]. */
    readonly overlap: number,
    /** Of the pictures. */
    readonly size: Size,
  ) {}

  static none({ width, height }: Size, confidence = 1): Motion {
    return new Motion(STILL, false, confidence, 1, { width, height });
  }

  /** By how many pixels the centre of the picture moves: to the right, and down. */
  get shift(): readonly [right: number, down: number] {
    const { right, down } = exponential(this.generator);
    return [right * unit(this.size), down * unit(this.size)];
  }

  /** Degrees; positive where the content turns clockwise as displayed. */
  get rotation(): number {
    const { re, im } = exponential(this.generator);
    return (Math.atan2(im, re) * 180) / Math.PI;
  }

  /** Above 1 where the content grows. */
  get zoom(): number {
    return Math.exp(this.generator[2]);
  }

  /** Two rows that carry (x, y, 1), pixel coordinates of the first picture, to those in the second. */
  get matrix(): readonly [readonly [number, number, number], readonly [number, number, number]] {
    return this.part(1);
  }

  /** The matrix of a share of the way: of -1 that of the inverse. */
  part(share: number): Motion["matrix"] {
    const { re, im, right, down } = exponential(scaled(this.generator, share));
    const [x, y, half] = [(this.size.width - 1) / 2, (this.size.height - 1) / 2, unit(this.size)];
    return [
      [re, -im, right * half + x - re * x + im * y],
      [im, re, down * half + y - im * x - re * y],
    ];
  }

  /** The motion from the second picture to the first: exactly what estimating in that order gives. */
  inverse(): Motion {
    if (!this.found) return this;
    return new Motion(scaled(this.generator, -1), true, this.confidence, this.overlap, this.size);
  }
}

/** Pixels to a unit of the generator's coordinates. */
export function unit({ width, height }: Size): number {
  return Math.max(width, height) / 2;
}

export function scaled([right, down, zoom, turn]: Generator, share: number): Generator {
  return [right * share, down * share, zoom * share, turn * share];
}

/** Below this the quotients with a logarithm are replaced by their series. */
const SMALL = 1e-6;

/** exp of a logarithm l and a shift s: a = exp(l), b = s (exp(l) - 1) / l. */
export function exponential([right, down, zoom, turn]: Generator): Similarity {
  const grown = Math.exp(zoom);
  const [re, im] = [grown * Math.cos(turn), grown * Math.sin(turn)];
  const square = zoom * zoom + turn * turn;
  const [shareRe, shareIm] =
    square < SMALL * SMALL
      ? [1 + zoom / 2, turn / 2]
      : [((re - 1) * zoom + im * turn) / square, (im * zoom - (re - 1) * turn) / square];
  return { re, im, right: right * shareRe - down * shareIm, down: right * shareIm + down * shareRe };
}

/** The logarithm of the motion that zooms by exp(zoom), turns, and carries the centre to (right, down). */
export function similarityGenerator(right: number, down: number, zoom: number, turn: number): Generator {
  const { right: re, down: im } = exponential([1, 0, zoom, turn]); // (exp(l) - 1) / l
  const square = re * re + im * im;
  return [(right * re + down * im) / square, (down * re - right * im) / square, zoom, turn];
}
