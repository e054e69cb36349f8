// curl in front of a tunnel and nginx behind it: a large file comes whole, its checksum says so, and where the tunnel is
// killed in mid-transfer curl fails and takes nothing for the whole.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { makeHome } from '../cli/tools.ts'
import { startTunnel } from '../cli/tunnel/tools.ts'
import { find, folder, freePort, run, serve } from './tools.ts'

const MIB = 2 ** 20
const FILE_BYTES = 256 * MIB
/** What curl says of a transfer that was cut: too few bytes, or a reset. */
const CUT = [18, 56]

const programs = find('nginx', 'curl')
if (typeof programs === 'string') t.plan(0, programs)
else {
  const { nginx, curl } = programs
  const dir = t.testdir()
  const keys = { near: await makeHome(dir, 'near'), far: await makeHome(dir, 'far') }
  const port = await freePort()
  const base = folder(t)
  const file = join(base, 'large')
  const block = randomBytes(16 * MIB)
  for (let index = 0; index < FILE_BYTES / block.length; index += 1) {
    block.writeUInt32BE(index, 0)
    appendFileSync(file, block)
  }
  writeFileSync(join(base, 'nginx.conf'), configOf(base, port))
  await serve(t, nginx, ['-e', join(base, 'error.log'), '-c', join(base, 'nginx.conf')], port)

  t.test('a file of 256 MiB comes whole, and several at once do', async t => {
    const { place } = await startTunnel(t, keys, port)
    const expected = await digestOf(file)
    const got = join(folder(t), 'got')
    const { code, stderr } = await run(curl, ['-sS', '-o', got, `http://127.0.0.1:${place}/large`])
    t.equal(code, 0, stderr)
    t.equal(await digestOf(got), expected)
    const parts = ['0-49999999', '50000000-99999999', '100000000-149999999']
    const ran = await Promise.all(
      parts.map((range, index) =>
        run(curl, ['-sS', '-r', range, '-o', `${got}${index}`, `http://127.0.0.1:${place}/large`])
      )
    )
    t.same(
      ran.map(({ code }) => code),
      [0, 0, 0]
    )
    for (const [index, range] of parts.entries()) {
      const [start, end] = range.split('-').map(Number) as [number, number]
      t.equal(await digestOf(`${got}${index}`), await digestOf(file, { start, end }), range)
    }
  })

  t.test('uploads come whole too', async t => {
    mkdirSync(join(base, 'up'), { mode: 0o777 })
    const { place } = await startTunnel(t, keys, port)
    const url = `http://127.0.0.1:${place}/echo`
    const { code, stdout } = await run(curl, [
      '-sS',
      '--data-binary',
      `@${file}`,
      '-w',
      '%{size_upload}',
      url
    ])
    t.equal(code, 0)
    t.match(stdout, String(FILE_BYTES))
  })

  for (const victim of ['near', 'far'] as const) {
    t.test(`the ${victim} end killed in mid-transfer is an error of curl's`, async t => {
      const tunnel = await startTunnel(t, keys, port)
      const got = join(folder(t), 'got')
      const transfer = start(['--limit-rate', '100M', '-o', got, `http://127.0.0.1:${tunnel.place}/large`])
      await reaches(got, 20 * MIB)
      tunnel[victim].child.kill('SIGKILL')
      const code = await transfer.code
      t.ok(CUT.includes(code as number), `exit code ${code}: ${transfer.said()}`)
      t.ok(statSync(got).size < FILE_BYTES)
    })
  }

  t.test('also where only the end of the connection tells the length', async t => {
    const server = net.createServer(socket => {
      socket.on('error', () => {}).resume()
      socket.write('HTTP/1.0 200 OK\r\n\r\n')
      const more = (): void => {
        while (socket.writable && socket.write(block));
      }
      socket.on('drain', more)
      more()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { far, place } = await startTunnel(t, keys, (server.address() as AddressInfo).port)
    const got = join(folder(t), 'got')
    const transfer = start(['--limit-rate', '50M', '-o', got, `http://127.0.0.1:${place}/`])
    await reaches(got, 20 * MIB)
    far.child.kill('SIGKILL')
    t.equal(await transfer.code, 56, transfer.said())
    t.match(transfer.said(), /reset by peer/)
  })

  function start(args: readonly string[]): { code: Promise<number | null>; said: () => string } {
    const child: ChildProcess = spawn(curl, ['-sS', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 60_000
    })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', text => {
      said += text
    })
    return { code: once(child, 'close').then(([code]) => code as number | null), said: () => said }
  }
}

async function digestOf(path: string, part: { start?: number; end?: number } = {}): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, part), hash)
  return hash.digest('hex')
}

async function reaches(path: string, bytes: number): Promise<void> {
  const size = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
  for (let tries = 0; size() < bytes; tries += 1) {
    if (tries > 3_000) throw new Error(`${path} stays below ${bytes} bytes`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** All of it below one folder, and in one process. */
function configOf(base: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${base}/${name};`)
    .join('\n  ')
  return `daemon off;
master_process off;
pid ${base}/nginx.pid;
error_log ${base}/error.log;
events {}
http {
  access_log off;
  client_max_body_size 1g;
  ${temporary}
  server {
    listen 127.0.0.1:${port};
    root ${base};
    location /echo { proxy_pass http://127.0.0.1:${port}/swallow; }
    location /swallow { return 200 'thanks '; }
  }
}
`
}
