import type { DifferenceMap } from "../src/index.js";
import type { Moved } from "./moved.js";
import type { Size } from "./sizes.js";

export type Net = "pixels" | "alex" | "alex-32";

/** What the page asks its worker, and what it gets for each. Pictures go by keys that the page gives them. */
export interface Calls {
  /** Fetch a network, so that the first comparison finds it. */
  prepare: { ask: { net: Net }; answer: Engine };
  /** Run a network on an empty picture. */
  warmUp: { ask: { net: Net; side: number }; answer: null };
  /** Read a file. */
  open: { ask: { key: number; file: File }; answer: Size };
  /** Forget a picture. */
  close: { ask: { key: number }; answer: null };
  /** Compare the first picture with each of the others; with `motion`, once what moved is undone. */
  compare: { ask: { net: Net; keys: number[]; motion: boolean }; answer: Comparison };
}

export interface Engine {
  readonly device: "webgpu" | "wasm";
  readonly threads: number;
}

export interface Comparison {
  /** At what size pictures were compared. */
  readonly size: Size;
  readonly justNoticeable: number;
  readonly candidates: readonly Candidate[];
  readonly engine: Engine;
}

export interface Candidate {
  readonly distance: number;
  readonly map: DifferenceMap;
  /** What moved, and what is left, in words. */
  readonly sentence: string;
  /** Where a motion is claimed. */
  readonly moved: Moved | undefined;
}

export type Call = keyof Calls;
export type Ask<C extends Call = Call> = { [K in C]: { id: number; call: K; ask: Calls[K]["ask"] } }[C];
export type Answer = { id: number; answer: unknown } | { id: number; error: string };
