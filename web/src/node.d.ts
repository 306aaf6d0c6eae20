// The two functions of Node that the package calls; @types/node would put all of Node's names into a browser's code.
declare module "node:os" {
  export function availableParallelism(): number;
}
declare module "node:fs/promises" {
  export function readFile(path: string | URL): Promise<Uint8Array>;
}
