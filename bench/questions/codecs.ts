// The questions: what each codec's work costs in CPU time, step by step and with no I/O, so that what has become slower
// points at its file. A step in a process of its own.

import { CODEC_NAMES, type CodecName, stepsOf } from '../codecs/index.ts'
import { given, Worker } from '../process.ts'
import { against, type Comparison, type Question } from '../question.ts'

const NOBODY = { payload: 'small', own: {}, port: 0, connections: 0 } as const

async function questionOf(codec: CodecName): Promise<Question> {
  const steps = Object.entries(await stepsOf(codec)).map(([name, { title }]) => [`${codec}/${name}`, title])
  const subjects = Object.fromEntries(steps)
  return {
    name: `codecs-${codec}`,
    title: `lib/${codec === 'handshake' ? 'handshake' : `wire/${codec}`} alone`,
    figures: [{ name: '', unit: `µs of CPU a ${UNITS[codec]}`, better: 'less' }],
    subjects,
    comparisons: codec === 'message' ? besideMsgpackr(Object.keys(subjects)) : [],
    rounds: { quick: 2, full: 11 },
    async prepare(subject, { profiles }) {
      const profile = profiles && `${profiles}/${subject.replace(/[ /]/g, '-')}.cpuprofile`
      const [worker] = await Worker.open({ task: 'step', role: 'alone', subject, profile, ...NOBODY })
      return {
        async measure() {
          const { cpu } = await worker.ask({ run: 1 })
          return { values: [given(cpu)], cost: null }
        },
        async close() {
          await worker.ask({ finish: true })
          await worker.end()
        }
      }
    }
  }
}

const UNITS = { frame: 'frame', record: 'record', message: 'message', handshake: 'handshake' } as const

/** Encoding against msgpackr's pack, decoding against its unpack, for each payload. */
function besideMsgpackr(subjects: readonly string[]): Comparison[] {
  return subjects.flatMap(rival => {
    const [, payload, verb] = rival.match(/^message\/(\S+) msgpackr (\S+)$/) ?? []
    if (!payload) return []
    return against(`message/${payload} ${verb === 'pack' ? 'encode' : 'decode'}`, [rival])
  })
}

export const codecQuestions: readonly Question[] = await Promise.all(CODEC_NAMES.map(questionOf))
