/** A scope from the environment; `none` is undefined. */
export function scopeOf(configured: string): string | undefined {
  return configured === 'none' ? undefined : configured;
}
