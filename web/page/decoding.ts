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

  /** Its values at a size, by averages over areas. */
  async planes({ width, height }: Size): Promise<Planes> {
    const bitmap = this.bitmap ?? (await decoded(this.file));
    const canvas = new OffscreenCanvas(bitmap.width, Math.min(BAND, bitmap.height));
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
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

async function decoded(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new TypeError(
      `“${file.name}” is not a picture that this browser can read: choose a JPEG, PNG, WebP or AVIF file.`,
    );
  }
}
