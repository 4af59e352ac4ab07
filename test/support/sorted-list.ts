/** A sorted set that is fast with a million entries: add, remove and seek touch one bucket of at most a few hundred. */
const BUCKET_SIZE = 512;

export class SortedList<Entry> {
  private readonly buckets: Entry[][] = [];
  private readonly compare: (one: Entry, other: Entry) => number;
  size = 0;

  constructor(compare: (one: Entry, other: Entry) => number) {
    this.compare = compare;
  }

  add(entry: Entry): void {
    const bucket = this.buckets[this.bucketFor(entry)];
    this.size += 1;
    if (!bucket) {
      this.buckets.push([entry]);
      return;
    }
    bucket.splice(this.positionIn(bucket, entry), 0, entry);
    if (bucket.length > BUCKET_SIZE) {
      this.buckets.splice(this.bucketFor(entry) + 1, 0, bucket.splice(BUCKET_SIZE / 2));
    }
  }

  remove(entry: Entry): boolean {
    const index = this.bucketFor(entry);
    const bucket = this.buckets[index];
    if (!bucket) return false;
    const position = this.positionIn(bucket, entry);
    const found = bucket[position];
    if (found === undefined || this.compare(found, entry) !== 0) return false;
    bucket.splice(position, 1);
    if (bucket.length === 0) this.buckets.splice(index, 1);
    this.size -= 1;
    return true;
  }

  /** Entries greater than `entry`, in order; without `entry`, all of them. */
  *after(entry?: Entry): Generator<Entry> {
    let index = entry === undefined ? 0 : this.bucketFor(entry);
    let position = 0;
    if (entry !== undefined) {
      const bucket = this.buckets[index] ?? [];
      position = this.positionIn(bucket, entry);
      const at = bucket[position];
      if (at !== undefined && this.compare(at, entry) === 0) position += 1;
    }
    for (; index < this.buckets.length; index += 1, position = 0) {
      const bucket = this.buckets[index] ?? [];
      for (; position < bucket.length; position += 1) {
        const next = bucket[position];
        if (next !== undefined) yield next;
      }
    }
  }

  /** The last bucket whose first entry is not greater than `entry`; the first bucket if there is none. */
  private bucketFor(entry: Entry): number {
    let low = 0;
    let high = this.buckets.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const first = this.buckets[middle]?.[0];
      if (first !== undefined && this.compare(first, entry) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private positionIn(bucket: readonly Entry[], entry: Entry): number {
    let low = 0;
    let high = bucket.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = bucket[middle];
      if (at !== undefined && this.compare(at, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
