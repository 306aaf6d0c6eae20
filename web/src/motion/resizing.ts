/** One channel of a picture, rows from the top. */
export interface Grey {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** What each cell of a new axis reads of the old one. */
interface Reads {
  readonly first: Int32Array;
  readonly counts: Int32Array;
  /** `most` of them for each cell. */
  readonly weights: Float32Array;
  readonly most: number;
}

/** Another size, bilinear, antialiased where it gets smaller, as PyTorch's `interpolate` does it. */
export function resized(grey: Grey, width: number, height: number): Grey {
  return alongRows(alongColumns(grey, height), width);
}

function alongRows(grey: Grey, width: number): Grey {
  if (width === grey.width) return grey;
  const { first, counts, weights, most } = triangles(grey.width, width);
  const data = new Float32Array(width * grey.height);
  for (let y = 0, to = 0; y < grey.height; y++) {
    for (let x = 0; x < width; x++, to++) {
      const from = y * grey.width + first[x];
      let sum = 0;
      for (let k = 0; k < counts[x]; k++) sum += weights[x * most + k] * grey.data[from + k];
      data[to] = sum;
    }
  }
  return { data, width, height: grey.height };
}

function alongColumns(grey: Grey, height: number): Grey {
  if (height === grey.height) return grey;
  const { width } = grey;
  const { first, counts, weights, most } = triangles(grey.height, height);
  const data = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const to = y * width;
    for (let k = 0; k < counts[y]; k++) {
      const from = (first[y] + k) * width;
      const weight = weights[y * most + k];
      for (let x = 0; x < width; x++) data[to + x] += weight * grey.data[from + x];
    }
  }
  return { data, width, height };
}

/** A triangle around each new cell's centre, as wide as the longer of an old and a new cell on each side. */
function triangles(from: number, to: number): Reads {
  const scale = from / to;
  const support = Math.max(1, scale);
  const most = 2 * Math.ceil(support) + 1;
  const reads = { first: new Int32Array(to), counts: new Int32Array(to), weights: new Float32Array(to * most), most };
  for (let cell = 0; cell < to; cell++) {
    const centre = scale * (cell + 0.5);
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const count = Math.min(from, Math.floor(centre + support + 0.5)) - first;
    const height = (k: number) => Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / support);
    let sum = 0;
    for (let k = 0; k < count; k++) sum += height(k);
    for (let k = 0; k < count; k++) reads.weights[cell * most + k] = height(k) / sum;
    reads.first[cell] = first;
    reads.counts[cell] = count;
  }
  return reads;
}
