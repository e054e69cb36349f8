// Tokens and examples of MessagePack as section 15 has it: what inputs of the value targets are made of.

import { hex } from './target.ts'

/** Headers, extension types, keys that mean something in JavaScript. */
export const TOKENS: readonly Buffer[] = [
  ...[
    'c0',
    'd40000',
    'c2',
    'c3',
    '80',
    '90',
    'a0',
    'c400',
    'c1',
    '91',
    '92',
    '81',
    'dc0001',
    'dd00000001',
    'de0001'
  ],
  ...['df00000001', 'd90161', 'da000161', 'db0000000161', 'c40101', 'c5000101', 'c60000000101', 'ca3fc00000'],
  ...[
    'cbbff8000000000000',
    'cb7ff8000000000000',
    'cb8000000000000000',
    'cf0000000000000005',
    'd30000000000000005'
  ],
  ...[
    'd4730090',
    'd4730091',
    'd47300dc0001',
    'd473',
    'd442ff',
    'd84200000000000000010000000000000000',
    'c70142ff'
  ],
  ...['c80001', 'c900000001', 'd67405010000', 'd474', 'd57401', 'd574', 'c70274', 'c8040042', 'c8040142'],
  ...[
    'd4ffff',
    'd6ff00000001',
    'd7ff003d090000000001',
    'c70cff3b8b87c0ffffffffffffffff',
    'd7ffee6b280000000000'
  ],
  ...[
    'a3efbbbf',
    'd944efbbbf',
    'a2c3a9',
    'a3eda080',
    'a2c080',
    'a161',
    'ab636f6e7374727563746f72',
    'a6746f4a534f4e'
  ],
  ...[
    'a95f5f70726f746f5f5f',
    'd9095f5f70726f746f5f5f',
    'a66c656e677468',
    'a130',
    'd472',
    'd462',
    'd469',
    'd470',
    'd478'
  ],
  ...['c70c00000007dba8218000', '000007dba8218000', 'fffff82457de8000', '91'.repeat(16), '81a161'.repeat(8)]
].map(hex)

/** A value of every kind. */
export const EXAMPLES: readonly Buffer[] = [
  ...[
    '05',
    'cc05',
    'ce00000005',
    'd2fffffffb',
    'ca3fc00000',
    'cbbff8000000000000',
    'c3',
    'e0',
    'd3ffffffffffffffff'
  ],
  ...['a568656c6c6f', 'd9026869', 'db000000026869', 'a3efbbbf', 'c403010203', 'd4730092a16101', 'd4730090'],
  ...[
    '82a16101a16292c0d40000',
    'df00000001d9016101',
    '8181',
    'd84200000000000000010000000000000000',
    'c90000000142ff'
  ],
  ...[
    'd6ff00000001',
    'd7ff003d090000000001',
    'c70cff3b8b87c0ffffffffffffffff',
    'd4ffff',
    'd47400',
    'd67405010203ff',
    'c7057405 02010000'
  ],
  ...['00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '0a', '10', '11'].map(
    code => `c70974${code}${'11'.repeat(8)}`
  ),
  `d950efbbbf${'2d'.repeat(77)}`,
  `de0011${Array.from({ length: 17 }, (_, i) => `a1${(0x61 + i).toString(16)}01`).join('')}`,
  `${'91'.repeat(63)}01`,
  'ab636f6e7374727563746f72'.replace(/^/, '81').concat('01')
].map(hex)
