// Minimisation: a shorter and plainer input that fails in the same way. Knows how to ask; knows no target.

/** Whether an input still fails as the first one did. */
export type StillFails = (input: Buffer) => Promise<boolean>

/** Removes blocks, larger ones first, then makes bytes zero; stops after so many ms. */
export async function minimise(input: Buffer, stillFails: StillFails, ms: number): Promise<Buffer> {
  const deadline = performance.now() + ms
  const holds = async (candidate: Buffer): Promise<boolean> =>
    performance.now() < deadline && (await stillFails(candidate))
  let least = input
  for (let size = 0; size !== least.length && performance.now() < deadline; ) {
    size = least.length
    least = await shorten(least, holds)
  }
  return plain(least, holds)
}

async function shorten(input: Buffer, holds: StillFails): Promise<Buffer> {
  let least = input
  for (let block = Math.ceil(input.length / 2); block >= 1; block = block === 1 ? 0 : Math.ceil(block / 2)) {
    for (let at = 0; at < least.length; ) {
      const candidate = Buffer.concat([least.subarray(0, at), least.subarray(at + block)])
      if (await holds(candidate)) least = candidate
      else at += block
    }
  }
  return least
}

async function plain(input: Buffer, holds: StillFails): Promise<Buffer> {
  let plainest = input
  for (let at = 0; at < input.length; at++) {
    if (plainest[at] === 0) continue
    const candidate = Buffer.from(plainest)
    candidate[at] = 0
    if (await holds(candidate)) plainest = candidate
  }
  return plainest
}
