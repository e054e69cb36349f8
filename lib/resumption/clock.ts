// The wall clock, made fit for expiries: it may be set forward, and things expire early; but while the process runs it
// never goes back or stands still, whatever is done to it. Knows two clocks and nothing of what they are for.

/** A clock in ms since 1970. `wall` may jump, `steady` may not. */
export function forwardClock(
  wall: () => number = () => Date.now(),
  steady: () => number = () => performance.now()
): () => number {
  let [latest, at] = [wall(), steady()]
  return () => {
    const now = steady()
    latest = Math.max(wall(), latest + now - at)
    at = now
    return latest
  }
}
