// Schemas: what a message must look like for the application, said with any validator that speaks Standard
// Schema 1 (standardschema.dev). Knows that interface and how to name a place in a message; knows no validator.

import { StalkError } from './errors.ts'

/** What a Standard Schema validator is, as far as it is used here. */
export interface Schema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validation<Output> | Promise<Validation<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** What becomes of a message that does not fit: it ends the connection, or is reported and left out. */
export type OnInvalid = 'error' | 'skip'

/** What comes out of a schema. */
export type Validated<S extends Schema> = NonNullable<S['~standard']['types']>['output']

type Validation<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] }

interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A message as the schema gives it back, or why it is none: ERR_STALK_SCHEMA, whose cause holds the issues. */
export type Checked = { readonly message: unknown } | { readonly error: StalkError }

/** Checks a message, at once where the schema allows. A schema that throws has found the message invalid. */
export function validate(schema: Schema, message: unknown): Checked | Promise<Checked> {
  try {
    const result = schema['~standard'].validate(message)
    return result instanceof Promise ? result.then(checked, invalid) : checked(result)
  } catch (error) {
    return invalid(error)
  }
}

function checked(result: Validation<unknown>): Checked {
  if (result.issues !== undefined) return { error: schemaError(result.issues) }
  if (result.value !== null && result.value !== undefined) return { message: result.value }
  return { error: schemaError([{ message: `the schema made ${result.value} of it, which is no message` }]) }
}

const invalid = (cause: unknown): Checked => ({
  error: new StalkError('ERR_STALK_SCHEMA', `the schema failed on a message: ${String(cause)}`, { cause })
})

function schemaError(issues: readonly Issue[]): StalkError {
  const shown = issues.slice(0, MAX_SHOWN).map(({ message, path }) => `${placeOf(path)}${message}`)
  if (issues.length > MAX_SHOWN) shown.push(`and ${issues.length - MAX_SHOWN} more`)
  const text = `a message does not fit the schema: ${shown.join('; ')}`
  return new StalkError('ERR_STALK_SCHEMA', text, { cause: { issues } })
}

/** So many issues are written out; all of them are in the error's cause. */
const MAX_SHOWN = 3

function placeOf(path: Issue['path'] = []): string {
  const keys = path.map(segment => (typeof segment === 'object' ? segment.key : segment))
  const place = keys.map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  return place === '' ? '' : `${place}: `
}
