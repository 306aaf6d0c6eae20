// The two functions of Node that the package calls; @types/node would put all of Node's names into a browser's code.
declare module "node:os" {
  export function availableParallelism(): number;
}
declare module "node:url" {
  export function fileURLToPath(url: URL): string;
}
