// What may come behind both goodbyes (PROTOCOL.md, section 12): answers to what was asked, up to the peer's last word,
// and an alert; and that nothing more is asked then.

import t from 'tap'
import { Controls } from '../../lib/connection/controls.ts'
import { KIND } from '../../lib/constants.ts'
import {
  alertRecord,
  closeRecord,
  finalPong,
  keyUpdateRecord,
  pingRecord,
  pongRecord
} from '../../lib/wire/control.ts'
import type { Inner } from '../../lib/wire/record.ts'

/** A ping and a request for new keys are unanswered, and both ends have said goodbye. */
function closed(): { controls: Controls; value: Buffer } {
  const said: Inner[] = []
  const controls = new Controls({
    send: record => said.push(record),
    updateKeys: () => {},
    received: () => 0,
    ticket: () => {},
    sent: () => 0
  })
  controls.ping()
  controls.updateKeys()
  controls.sayGoodbye()
  controls.hear(closeRecord(0))
  return { controls, value: said.find(({ type }) => type === KIND.ping)?.body ?? Buffer.alloc(0) }
}

t.test("answers are taken up to the peer's last word", async t => {
  const { controls, value } = closed()
  controls.hear(pongRecord(value, 0))
  controls.hear(keyUpdateRecord(false))
  controls.hear(finalPong(0))
  t.notOk(controls.pinging)
  t.notOk(controls.rekeying)
})

t.test('behind it nothing is taken, asked for or not', async t => {
  const { controls, value } = closed()
  controls.hear(finalPong(0))
  const late: Record<string, Inner> = {
    'a pong': pongRecord(value, 0),
    'new keys': keyUpdateRecord(false),
    'a ping': pingRecord(value),
    'a goodbye': closeRecord(0),
    'another last word': finalPong(0)
  }
  for (const [name, record] of Object.entries(late)) {
    t.throws(() => controls.hear(record), { code: 'ERR_STALK_UNEXPECTED' }, name)
  }
  t.throws(() => controls.hear(alertRecord(8)), { code: 'ERR_STALK_PEER_ABORTED' }, 'an alert is heard')
})

t.test('what waits for its turn is not asked behind our goodbye', async t => {
  const said: Inner[] = []
  let requests = 0
  const controls = new Controls({
    send: record => said.push(record),
    updateKeys: () => requests++,
    received: () => 0,
    ticket: () => {},
    sent: () => 0
  })
  for (let n = 0; n < 2; n++) {
    controls.ping()
    controls.updateKeys()
  }
  controls.sayGoodbye()
  const value = said[0]?.body ?? Buffer.alloc(0)
  controls.hear(pongRecord(value, 0))
  controls.hear(keyUpdateRecord(false))
  t.same(
    said.map(({ type }) => type),
    [KIND.ping, KIND.alert]
  )
  t.equal(requests, 1)
  t.notOk(controls.pinging)
  t.notOk(controls.rekeying)
})
