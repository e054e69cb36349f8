// The numbers of the specification, written down a second time: other tests take them from lib, and would not
// notice if one had changed.

import t from 'tap'
import * as constants from '../lib/constants.ts'

t.test('the numbers of the specification are those of PROTOCOL.md', async t => {
  t.match(constants, {
    HEADER_BYTES: 4,
    MAX_INNER_BYTES: 65_600,
    MAX_CONTENT_BYTES: 65_599,
    MAX_SEALED_BYTES: 65_632,
    FLIGHT_INNER_BYTES: 2_048,
    TYPE: {
      initiatorHello: 0xe1,
      responderHello: 0xe2,
      plainAlert: 0xe3,
      sealedApplication: 0xe4,
      sealedHandshake: 0xe5
    },
    KIND: {
      handshake: 1,
      messages: 2,
      fragment: 3,
      lastFragment: 4,
      alert: 5,
      keyUpdate: 6,
      ticket: 7,
      ping: 8,
      pong: 9,
      shapes: 10
    },
    MIN_FRAGMENT_BYTES: 1_024,
    MAX_HELLO_BYTES: 1_024,
    MAX_APP_BYTES: 64,
    MAX_DEPTH: 64,
    MAX_VALUES: 1_000_000,
    BINARY_VALUES: 8,
    MAX_BIGINT_BYTES: 1_024,
    MAX_U32: 4_294_967_295,
    MAX_EXPORT_BYTES: 8_160,
    MIN_RSA_BITS: 2_048,
    MAX_RSA_BITS: 4_096
  })
})

t.test('a key is due to be replaced after a quarter of what it may do at most', async t => {
  t.match(constants, {
    SOFT_LIMIT_RECORDS: 4_194_304,
    HARD_LIMIT_RECORDS: 16_777_216,
    SOFT_LIMIT_BYTES: 68_719_476_736,
    HARD_LIMIT_BYTES: 274_877_906_944
  })
})
