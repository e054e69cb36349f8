// The steps of the codecs by name, `codec/step`: each is a piece of one codec's work that can be repeated. Each codec
// is loaded only where it is run.

/** So many items are done by a call of `run`. */
export interface Step {
  readonly per: number
  run(): void | Promise<void>
}

/** Step → its title and what prepares it. */
export type Steps = Readonly<Record<string, { readonly title: string; prepare(): Step | Promise<Step> }>>

const CODECS = {
  frame: async () => (await import('./frame.ts')).steps,
  record: async () => (await import('./record.ts')).steps,
  message: async () => (await import('./message.ts')).steps,
  handshake: async () => (await import('./handshake.ts')).steps
} as const

export type CodecName = keyof typeof CODECS

export const CODEC_NAMES = Object.keys(CODECS) as CodecName[]

export const stepsOf = (codec: CodecName): Promise<Steps> => CODECS[codec]()

export async function stepOf(name: string): Promise<Step> {
  const [codec, ...step] = name.split('/')
  const found = (await stepsOf(codec as CodecName))[step.join('/')]
  if (!found) throw new Error(`there is no step ${name}`)
  return found.prepare()
}
