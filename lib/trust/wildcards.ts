// Patterns with `*` (any characters, or none) and `?` (any one character), as OpenSSH's, and lists of them with `!`.
// Knows texts only.

/** Whether a text fits a pattern. In time of their lengths multiplied, at most. */
export function fits(pattern: string, text: string): boolean {
  let [at, from] = [0, 0]
  let star = -1
  let resume = 0
  while (from < text.length) {
    const wanted = pattern[at]
    if (wanted === '*') {
      star = at++
      resume = from
    } else if (wanted === '?' || wanted === text[from]) {
      at++
      from++
    } else if (star >= 0) {
      at = star + 1
      from = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** Whether one of a list fits and none of those that begin with `!` does. `one` decides on an item without its `!`. */
export function listFits(items: readonly string[], one: (item: string) => boolean): boolean {
  const negated = items.filter(item => item.startsWith('!')).map(item => item.slice(1))
  return !negated.some(one) && items.some(item => !item.startsWith('!') && one(item))
}
