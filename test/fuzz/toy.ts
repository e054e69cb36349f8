// A toy parser with a planted bug behind nested checks: the engine has to find it by coverage alone. A blind search
// would need 2^32 inputs.

export function toy(input: Buffer): string {
  if (input[0] === 0x53) {
    if (input[1] === 0x54) {
      if (input[2] === 0x4c) {
        if (input[3] === 0x4b) throw new RangeError('the planted bug')
      }
    }
  }
  return 'fine'
}
