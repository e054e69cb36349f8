// The handshake machines (lib/handshake), both of them driven in one process: what a whole handshake costs both ends
// together, with full signatures of either kind, and resumed.

import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import {
  answerFor,
  asksForTicket,
  Deframer,
  decodeControl,
  enframe,
  type Frame,
  Handshake,
  type Step as HandshakeStep,
  type HeldTicket,
  initiator,
  KIND,
  MemoryTicketStore,
  type Opener,
  type RawPublicKey,
  responder,
  resumableOf,
  type Sealer,
  type Session,
  SUITES,
  sign,
  ticketingOf,
  toRaw,
  verify,
  WANT
} from '../inside.ts'
import type { Step, Steps } from './index.ts'

type KeyType = RawPublicKey['type']
type Ticketing = Parameters<typeof answerFor>[1]

interface Key {
  readonly raw: RawPublicKey
  readonly privateKey: KeyObject
}

function keyOf(type: KeyType): Key {
  const { privateKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2_048, publicExponent: 65_537 })
      : generateKeyPairSync('ed25519')
  return { raw: toRaw(privateKey), privateKey }
}

const configOf = ({ raw }: Key) => ({
  app: Buffer.alloc(0),
  suites: [SUITES['X25519-AES256GCM-SHA256']],
  identity: raw,
  keyTypes: ['ed25519', 'rsa'] as const,
  maxMessageBytes: 65_536,
  random: randomBytes,
  verify
})

/** One machine with its keys: bytes in, bytes out. */
class End {
  session: Session | null = null
  held: HeldTicket | null = null
  readonly #machine: Handshake
  readonly #key: Key
  readonly #ticketing: Ticketing
  readonly #deframer = new Deframer(type => this.#openerOf(type)?.maxBodyBytes ?? this.#machine.admit(type))
  #sealer: Sealer | null = null
  #openers: readonly Opener[] = []

  constructor(machine: Handshake, key: Key, ticketing: Ticketing = null) {
    this.#machine = machine
    this.#key = key
    this.#ticketing = ticketing
  }

  start(): Promise<Buffer[]> {
    return this.#do(this.#machine.start())
  }

  async take(chunks: readonly Buffer[]): Promise<Buffer[]> {
    const out: Buffer[] = []
    for (const chunk of chunks) {
      this.#deframer.push(chunk)
      for (let frame = this.#deframer.next(); frame; frame = this.#deframer.next()) {
        out.push(...(await this.#receive(frame)))
      }
    }
    return out
  }

  #openerOf(type: number): Opener | undefined {
    return this.#openers.find(opener => opener.type === type)
  }

  async #receive(frame: Frame): Promise<Buffer[]> {
    const inner = this.#openerOf(frame.type)?.open(frame) ?? frame
    if (!this.session || inner.type !== KIND.ticket)
      return this.#do(this.#machine.receive({ type: frame.type, inner }))
    const control = decodeControl(inner)
    if (control.name !== 'ticket') throw new Error('no ticket')
    this.held = { ticket: control.ticket, session: resumableOf(this.session, Buffer.alloc(0), control.nonce) }
    return []
  }

  async #do({ send = [], openers, next }: HandshakeStep): Promise<Buffer[]> {
    const out: Buffer[] = []
    for (const item of send) {
      if ('key' in item) this.#sealer = item.key
      else if ('clear' in item) out.push(enframe(item.clear))
      else if (this.#sealer) out.push(enframe(this.#sealer.seal(item)))
    }
    if (openers) this.#openers = openers
    if ('agreed' in next) this.session = next.agreed
    return [...out, ...(await this.#answer(next))]
  }

  async #answer(next: HandshakeStep['next']): Promise<Buffer[]> {
    const { raw, privateKey } = this.#key
    if ('sign' in next) return this.#do(this.#machine.signed(await sign(raw.type, privateKey, next.sign)))
    if ('ask' in next) return this.#do(this.#machine.accepted())
    if (asksForTicket(next)) return this.#do((await answerFor(next, this.#ticketing))(this.#machine))
    return []
  }
}

async function shake(a: End, b: End): Promise<void> {
  await b.start()
  let [to, from] = [b, a]
  for (let bytes = await a.start(); bytes.length > 0; [to, from] = [from, to]) bytes = await to.take(bytes)
  if (!a.session || !b.session) throw new Error('the handshake has not come to its end')
}

function full(type: KeyType): Step {
  const [ours, theirs] = [keyOf(type), keyOf(type)]
  const want = WANT.required
  return {
    per: 1,
    run: () =>
      shake(
        new End(new Handshake(initiator(configOf(ours))), ours),
        new End(new Handshake(responder({ ...configOf(theirs), want, tickets: false })), theirs)
      )
  }
}

function resumed(): Step {
  const [ours, theirs] = [keyOf('rsa'), keyOf('rsa')]
  const ticketing = ticketingOf(new MemoryTicketStore())
  let held: HeldTicket | null = null
  return {
    per: 1,
    async run() {
      const [ticket, want] = [held, WANT.required]
      const a = new End(new Handshake(initiator({ ...configOf(ours), takeTicket: () => ticket })), ours)
      const b = new Handshake(responder({ ...configOf(theirs), want, tickets: true }))
      await shake(a, new End(b, theirs, ticketing))
      if (ticket && !a.session?.resumed) throw new Error('the session was not resumed')
      held = a.held
    }
  }
}

export const steps: Steps = {
  rsa: { title: 'both ends, RSA-2048 mutual', prepare: () => full('rsa') },
  ed25519: { title: 'both ends, Ed25519 mutual', prepare: () => full('ed25519') },
  resumed: { title: 'both ends, RSA-2048, resumed', prepare: resumed }
}
