import type { Answer, Call, Calls } from "./messages.js";

/** The worker, as functions that give promises. */
export class Engine {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  private asked = 0;

  constructor(address: URL) {
    this.worker = new Worker(address, { type: "module" });
    this.worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const { resolve, reject } = this.waiting.get(data.id)!;
      this.waiting.delete(data.id);
      if ("error" in data) reject(new Error(data.error));
      else resolve(data.answer);
    });
    this.worker.addEventListener("error", (event) => {
      const error = new Error(`The worker that compares pictures could not run (${event.message ?? "not loaded"}).`);
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
  }

  call<C extends Call>(call: C, ask: Calls[C]["ask"]): Promise<Calls[C]["answer"]> {
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.worker.postMessage({ id, call, ask });
    });
  }
}
