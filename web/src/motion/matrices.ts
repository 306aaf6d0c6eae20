// Small dense matrices, as rows of numbers.

export type Matrix = readonly (readonly number[])[];

export function product(a: Matrix, b: Matrix): number[][] {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

/** v' M v */
export function quadratic(matrix: Matrix, vector: readonly number[]): number {
  return matrix.reduce((sum, row, i) => sum + vector[i] * row.reduce((part, value, j) => part + value * vector[j], 0), 0);
}

/** The solution of `matrix` x = `right`, by elimination with pivots; not finite where there is none. */
export function solved(matrix: Matrix, right: readonly number[]): number[] {
  const count = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let k = 0; k < count; k++) {
    let pivot = k;
    for (let i = k + 1; i < count; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = k + 1; i < count; i++) {
      const share = rows[i][k] / rows[k][k];
      for (let j = k; j <= count; j++) rows[i][j] -= share * rows[k][j];
    }
  }
  const solution = new Array<number>(count).fill(0);
  for (let k = count - 1; k >= 0; k--) {
    let rest = rows[k][count];
    for (let j = k + 1; j < count; j++) rest -= rows[k][j] * solution[j];
    solution[k] = rest / rows[k][k];
  }
  return solution;
}

/** The pseudo-inverse of a symmetric matrix: eigenvalues up to `tolerance` times the largest count as 0. */
export function pseudoInverse(matrix: Matrix, tolerance: number): number[][] {
  const { values, vectors } = eigen(matrix);
  const least = tolerance * Math.max(...values.map(Math.abs));
  const inverted = values.map((value) => (Math.abs(value) > least ? 1 / value : 0));
  return matrix.map((_, i) =>
    matrix.map((_, j) => inverted.reduce((sum, value, k) => sum + value * vectors[i][k] * vectors[j][k], 0)),
  );
}

/** Eigenvalues, and eigenvectors in columns, of a symmetric matrix, by Jacobi's rotations. */
function eigen(matrix: Matrix): { values: number[]; vectors: number[][] } {
  const count = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let turned = false;
    for (let p = 0; p < count; p++) {
      for (let q = p + 1; q < count; q++) {
        // What is left of it is rounding.
        if (Math.abs(a[p][q]) <= 1e-16 * Math.sqrt(Math.abs(a[p][p] * a[q][q]))) continue;
        turned = true;
        const half = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const tangent = (half < 0 ? -1 : 1) / (Math.abs(half) + Math.hypot(1, half));
        const cosine = 1 / Math.hypot(1, tangent);
        const sine = tangent * cosine;
        const rotate = (row: number[]) => ([row[p], row[q]] = [cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]]);
        for (let k = 0; k < count; k++) {
          [a[p][k], a[q][k]] = [cosine * a[p][k] - sine * a[q][k], sine * a[p][k] + cosine * a[q][k]];
        }
        for (const row of [...a, ...vectors]) rotate(row);
      }
    }
    if (!turned) break;
  }
  return { values: a.map((row, i) => row[i]), vectors };
}
