// All questions, in the order in which they are asked.

import type { Question } from '../question.ts'
import { codecQuestions } from './codecs.ts'
import { oneWayQuestions } from './one-way.ts'
import { pipelineQuestions } from './pipeline.ts'

export const QUESTIONS: readonly Question[] = [...oneWayQuestions, ...pipelineQuestions, ...codecQuestions]
