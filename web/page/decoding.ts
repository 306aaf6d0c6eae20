import { type Planes, Shrinking } from "../src/index.js";
import type { Size } from "./sizes.js";

/** Rows that are taken out of a decoded picture at a time. */
const BAND = 256;

/** A picture file, and its size once it is turned as its EXIF says. */
export class PictureFile {
  private constructor(
    private readonly file: File,
    readonly size: Size,
    private bitmap: ImageBitmap | undefined,
  ) {}

  /** @throws TypeError where the browser can't read the file */
  static async open(file: File): Promise<PictureFile> {
    const bitmap = await decoded(file);
    return new PictureFile(file, { width: bitmap.width, height: bitmap.height }, bitmap);
  }

  /**
   * Its values at a size, by averages over areas.
   *
   * @throws Error where the browser doesn't give a picture's own values
   */
  async planes({ width, height }: Size): Promise<Planes> {
    if (await altersPictures()) {
      throw new Error(
        "No distance would be right here: as a protection against fingerprinting this browser alters what a page reads of a picture: " +
          "turn that off for this page, or use another browser.",
      );
    }
    const bitmap = this.bitmap ?? (await decoded(this.file));
    const context = readable(bitmap.width, Math.min(BAND, bitmap.height));
    const shrinking = new Shrinking(bitmap.width, bitmap.height, width, height);
    for (let top = 0; top < bitmap.height; top += BAND) {
      const rows = Math.min(BAND, bitmap.height - top);
      context.clearRect(0, 0, bitmap.width, rows);
      context.drawImage(bitmap, 0, top, bitmap.width, rows, 0, 0, bitmap.width, rows);
      shrinking.add(context.getImageData(0, 0, bitmap.width, rows).data);
    }
    this.close(); // decoded again where another size is asked for: a large photograph takes 100 MB
    return shrinking.planes();
  }

  close(): void {
    this.bitmap?.close();
    this.bitmap = undefined;
  }
}

function readable(width: number, height: number): OffscreenCanvasRenderingContext2D {
  return new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
}

/** Whether other values are read of a picture than were drawn. */
async function altersPictures(): Promise<boolean> {
  const side = 64;
  const drawn = new ImageData(side, side);
  for (let k = 0; k < drawn.data.length; k++) drawn.data[k] = k % 4 === 3 ? 255 : (k * k) >> 5; // a pattern, as noise may spare plain ones
  const context = readable(side, side);
  context.drawImage(await createImageBitmap(drawn), 0, 0);
  const { data } = context.getImageData(0, 0, side, side);
  return data.some((value, k) => value !== drawn.data[k]);
}

async function decoded(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new TypeError(
      `“${file.name}” is not a picture that this browser can read: choose a JPEG, PNG, WebP or AVIF file.`,
    );
  }
}
