// The wall clock, made fit for expiries: it may be set forward, and things expire early; but while the process runs it
// never goes back or stands still, whatever is done to it. Knows two clocks and nothing of what they are for.

/** A clock in whole ms since the process began, which nobody can set: what it adds up to is exact. */
export const steadyClock = (): number => Math.floor(performance.now())

/** A clock in ms since 1970. `wall` may jump, `steady` may not. */
export function forwardClock(
  wall: () => number = () => Date.now(),
  steady: () => number = steadyClock
): () => number {
  let [latest, at] = [wall(), steady()]
  return () => {
    const now = steady()
    latest = Math.max(wall(), latest + now - at)
    at = now
    return latest
  }
}
