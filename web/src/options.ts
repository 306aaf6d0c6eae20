// Checks of what a caller gives, for callers without TypeScript.

/** @throws TypeError where an option is not one of those that there are */
export function knownOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Options must be an object, but got ${quoted(options)}.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`There is no option \`${unknown}\`, only ${known.map((name) => `\`${name}\``).join(", ")}.`);
}

/** A value in a sentence. */
export function quoted(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
