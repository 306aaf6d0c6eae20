// One motion for the whole picture: found from afar, refined from coarse to fine, claimed only on good evidence.

import { band, reduced, rounded } from "./bands.js";
import { type Evidence, evidence, furthest } from "./evidence.js";
import { type Generator, Motion, STILL, type Size, exponential, scaled } from "./motion.js";
import { halfWayBands, refined, standardise } from "./refining.js";
import type { Grey } from "./resizing.js";
import { inside, places } from "./sampling.js";
import { SEARCHED, candidates, repeats } from "./searching.js";

// The numbers and where they come from: `invariant_lpips/motion/whole.py`.

/** Short sides in pixels: of the finest level, of those that refining starts from, and where evidence is taken. */
const [FINEST, COARSEST, JUDGED] = [512, 96, 256];
/** Below this side, in pixels, nothing is claimed: the band that is compared is wider. */
export const SMALLEST = 16;
/** Gauss-Newton steps at the coarsest level, at every finer one, and at those finer than `JUDGED`. */
const [FIRST_STEPS, STEPS, LAST_STEPS] = [7, 3, 2];
/** Motions from the search that are refined. */
const RIVALS = 4;
/** Pictures that match this well where they are, or next to it, are searched no further. */
const NEAR = 0.8;
/** What a claim needs; more of it in pictures with a side of less than `SMALL` pixels. */
const [LEAST_MATCH, LEAST_MATCH_SMALL, SMALL] = [0.35, 0.65, 96];
const LEAST_TEXTURED = 10;
/** Either many blocks that match better and some significance, or some blocks and much significance. */
const ENOUGH = [[0.75, 40], [0.62, 400]] as const;
const LEAST_PIXELS = 0.1;
/** Pixels of the level that is judged, or a share of its short side if that is less. */
const [LARGEST_ERROR, LARGEST_SHARE] = [0.5, 1 / 64];
/** A second motion whose match is this share of the best one's leaves open which of them it was. */
const RIVAL = 0.92;
/** Pictures that are this like themselves elsewhere match in several places. */
const REPEATED = 0.8;

/** The bands of both pictures at a size. */
interface Level {
  readonly x: Grey;
  readonly y: Grey;
}

/** The claim for two pictures' luma that differ. */
export function claim(x: Grey, y: Grey): Motion {
  const size = { width: x.width, height: x.height };
  const levels = pyramid(x, y);
  const { rivalled, ...best } = fromAfar(levels[0], x, y, size);
  let { generator } = best;
  for (const level of levels.slice(1)) {
    generator = refined(level.x, level.y, generator, size, short(level) <= JUDGED ? STEPS : LAST_STEPS);
  }
  const judged = levels.filter((level) => short(level) <= JUDGED).at(-1)!;
  const proof = evidence(judged.x, judged.y, generator, size);
  if (speaks(proof, generator, size) && !rivalled && repeats(judged.x) < REPEATED) {
    return new Motion(generator, true, share(proof.match), shared(generator, size), size);
  }
  return Motion.none(size, share(evidence(judged.x, judged.y, STILL, size).match));
}

function share(match: number): number {
  return Math.min(1, Math.max(0, match));
}

/** The share of the picture that both show, half way, on a grid of 64 x 64 places. */
function shared(generator: Generator, size: Size): number {
  const level = { width: 64, height: 64 };
  const ends = [-0.5, 0.5].map((part) => places(exponential(scaled(generator, part)), level, size));
  const seen = inside(level, ends, 0);
  return seen.reduce((sum, one) => sum + one, 0) / seen.length;
}

/** The bands of both pictures, from coarse to fine. */
function pyramid(x: Grey, y: Grey): Level[] {
  const levels: Level[] = [];
  for (let side = Math.min(x.width, x.height, FINEST); ; side = rounded(side / 2)) {
    [x, y] = [reduced(x, side), reduced(y, side)];
    levels.unshift({ x: band(x), y: band(y) });
    if (side < COARSEST) return levels;
  }
}

function short({ x }: Level): number {
  return Math.min(x.width, x.height);
}

/** The best motion at the coarsest level, and whether another one is about as good. */
function fromAfar(coarsest: Level, x: Grey, y: Grey, size: Size): { generator: Generator; rivalled: boolean } {
  const near = ranked(coarsest, STILL, size);
  if (near.score >= NEAR) return { generator: near.generator, rivalled: false };
  const [small, other] = [x, y].map((picture) => band(reduced(picture, SEARCHED)));
  const starts = candidates(small, other, size, RIVALS);
  const all = [near, ...starts.map((start) => ranked(coarsest, start, size))];
  const top = all.reduce((best, each) => (each.score > best.score ? each : best));
  const reach = (4 * Math.min(size.width, size.height)) / short(coarsest);
  const rivalled = all.some(
    ({ generator, score }) => score > RIVAL * top.score && furthest(between(generator, top.generator), size) > reach,
  );
  return { generator: top.generator, rivalled };
}

function between(one: Generator, other: Generator): Generator {
  return [one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3]];
}

/** A start refined, and how well it matches: correlation times the root of the overlap. */
function ranked(level: Level, start: Generator, size: Size): { generator: Generator; score: number } {
  const generator = refined(level.x, level.y, start, size, FIRST_STEPS);
  const bands = halfWayBands(level.x, level.y, generator, size);
  const seen = bands.seen.reduce((sum, one) => sum + one, 0) / bands.seen.length;
  return { generator, score: standardise(bands) * Math.sqrt(seen) };
}

/** Whether the evidence is enough. */
function speaks(proof: Evidence, generator: Generator, size: Size): boolean {
  const side = Math.min(size.width, size.height);
  return (
    ENOUGH.some(([better, significance]) => proof.better > better && proof.significance > significance) &&
    proof.match > (side < SMALL ? LEAST_MATCH_SMALL : LEAST_MATCH) &&
    proof.textured >= LEAST_TEXTURED &&
    proof.error < Math.min(LARGEST_ERROR * Math.max(1, side / JUDGED), LARGEST_SHARE * side) &&
    furthest(generator, size) > LEAST_PIXELS
  );
}
