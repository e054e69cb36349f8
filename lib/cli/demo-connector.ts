// The connector of the demo, a program of its own: connects to the peer that it was told, sends the messages that
// it was given, and waits for the answer. Reports to the demo (demo-reports.ts) how it went.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Connection, connect, Identity, StalkError } from '../index.ts'
import { Parent } from './demo-child.ts'
import { APP, type ConnectorTask, HOST, securedOf } from './demo-reports.ts'
import { Tally } from './tally.ts'

await Parent.serve(async (task: ConnectorTask, parent) => {
  const connection = await connectOrReport(task, parent)
  if (connection) await sendAll(connection, task, parent)
})

async function connectOrReport(
  { privateFile, peer, port }: ConnectorTask,
  parent: Parent
): Promise<Connection | null> {
  const identity = await Identity.load(privateFile)
  try {
    return await connect({ host: HOST, port, identity, peer, app: APP })
  } catch (error) {
    if (!(error instanceof StalkError)) throw error
    await parent.report({ name: 'refused', code: error.code, text: error.message })
    return null
  }
}

async function sendAll(connection: Connection, task: ConnectorTask, parent: Parent): Promise<void> {
  connection.on('error', () => {}) // `outcome` says the same
  connection.on('messageError', (error, message) => {
    const index = task.messages.indexOf(message)
    void parent.report({ name: 'unsendable', index, text: error.message })
    connection.destroy()
  })
  void parent.report({ name: 'secure', ...securedOf(connection) })
  const start = performance.now()
  const sent = new Tally()
  const answered = answerOf(connection).then(answer => ({ answer, ms: performance.now() - start }))
  const outgoing = messagesOf(task, sent, parent)
  try {
    // The first one goes alone, so that there is a record on the wire that holds it and nothing else.
    connection.write(outgoing.next().value)
    await connection.flush()
    await pipeline(Readable.from(outgoing), connection)
  } catch {
    // `outcome` says this too
  }
  const { answer, ms } = await answered
  await parent.report({ name: 'ended', outcome: await connection.outcome, total: sent.total, answer, ms })
}

function* messagesOf({ messages, total }: ConnectorTask, sent: Tally, parent: Parent): Generator<unknown> {
  for (let index = 0; index < total; index += 1) {
    const message = messages[index % messages.length]
    sent.add(message)
    parent.progress(sent.messages)
    yield message
  }
}

/** The last message of the peer; undefined if the connection fails before its goodbye. */
async function answerOf(connection: Connection): Promise<unknown> {
  let answer: unknown
  try {
    for await (const message of connection) answer = message
    return answer
  } catch {
    return undefined
  }
}
