// Numbers as people read them: three digits that count.

export function short(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 9_995) return `${(value / 1e3).toFixed(0)} k`
  if (value >= 999.5) return Number(value.toPrecision(3)).toLocaleString('en')
  return value.toPrecision(3)
}
