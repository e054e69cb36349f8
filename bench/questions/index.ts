// All questions, in the order in which they are asked.

import type { Question } from '../question.ts'
import { codecQuestions } from './codecs.ts'
import { growthQuestions } from './growth.ts'
import { handshakes } from './handshakes.ts'
import { idleMemory } from './memory.ts'
import { oneWayQuestions } from './one-way.ts'
import { pingPong } from './ping-pong.ts'
import { pipelineQuestions } from './pipeline.ts'

export const QUESTIONS: readonly Question[] = [
  ...oneWayQuestions,
  pingPong,
  handshakes,
  idleMemory,
  ...growthQuestions,
  ...pipelineQuestions,
  ...codecQuestions
]
