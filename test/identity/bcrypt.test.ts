// The key derivation in turns against the one of bcrypt-pbkdf in one go.

// @ts-expect-error No types.
import bcrypt from 'bcrypt-pbkdf'
import t from 'tap'
import { bcryptPbkdf } from '../../lib/identity/bcrypt.ts'

const atOnce = (passphrase: Buffer, salt: Buffer, rounds: number, length: number): Buffer => {
  const key = Buffer.alloc(length)
  bcrypt.pbkdf(passphrase, passphrase.length, salt, salt.length, key, length, rounds)
  return key
}

t.test('it gives what bcrypt-pbkdf gives, for all lengths of keys, salts and passphrases', async t => {
  const cases: [string, number, number, number][] = [
    ['word', 16, 1, 48],
    ['word', 16, 2, 48],
    ['word', 16, 5, 32],
    ['w', 1, 2, 1],
    ['a longer passphrase ü', 64, 2, 33],
    ['word'.repeat(100), 128, 1, 100]
  ]
  for (const [word, saltBytes, rounds, length] of cases) {
    const [passphrase, salt] = [Buffer.from(word), Buffer.alloc(saltBytes, saltBytes)]
    t.same(await bcryptPbkdf(passphrase, salt, rounds, length), atOnce(passphrase, salt, rounds, length))
  }
})

t.test('it lets others have their turn, and leaves passphrase and salt as they are', async t => {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const [passphrase, salt] = [Buffer.from('word'), Buffer.alloc(16, 1)]
  await bcryptPbkdf(passphrase, salt, 16, 48)
  clearInterval(timer)
  t.ok(turns >= 16, `${turns} turns in 32 hashes`)
  t.equal(passphrase.toString(), 'word')
  t.same(salt, Buffer.alloc(16, 1))
})
