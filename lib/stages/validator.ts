// The validator stage: messages that fit a schema go on, as the schema gives them back. Knows schemas only.

import type { StalkError } from '../errors.ts'
import { type Checked, type Schema, validate } from '../schema.ts'
import type { Frame } from '../wire/frame.ts'
import { Arrived } from '../wire/message.ts'
import { paced, type Stage } from './paced.ts'

/** Told of a message that does not fit; where nobody is to be told, such a message ends the stream. */
export type Invalid = (error: StalkError, message: unknown) => void

/**
 * Batches in and out; what is no batch passes. Without `invalid` the stage fails with ERR_STALK_SCHEMA at the first
 * message that does not fit, when those before it were handed on.
 */
export function batchValidator(schema: Schema, invalid?: Invalid): Stage {
  return paced<Arrived | Frame, Arrived | Frame>(item => {
    if (!(item instanceof Arrived)) return [item]
    const results = item.messages.map(message => validate(schema, message))
    if (!results.some(result => result instanceof Promise)) return sorted(item, results as Checked[], invalid)
    return Promise.all(results).then(settled => sorted(item, settled, invalid))
  })
}

function* sorted({ messages, bytes }: Arrived, results: Checked[], invalid?: Invalid): Generator<Arrived> {
  const valid: unknown[] = []
  let failure: StalkError | null = null
  for (const [index, result] of results.entries()) {
    if ('message' in result) valid.push(result.message)
    else if (invalid) invalid(result.error, messages[index])
    else {
      failure = result.error
      break
    }
  }
  if (valid.length > 0) yield new Arrived(valid, bytes)
  if (failure) throw failure
}
