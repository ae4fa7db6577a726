import { CommanderError } from 'commander'
import { thrownText } from '../runtime/thrown.js'
import { whenAborted } from '../runtime/when-aborted.js'
import { exitCode, type ExitCode } from './exit-code.js'
import { failureOf } from './failure.js'
import { printableJson, printableLines } from './printable.js'
import { programOf } from './program.js'
import { present } from './report.js'
import { Session, type GlobalFlags } from './session.js'
import type { World } from './world.js'

/**
 * Runs one command line, without the names of Node and of the script. Resolves to what the process is to end with; never
 * rejects.
 */
export async function run(words: readonly string[], world: World): Promise<ExitCode> {
  let exit: ExitCode = exitCode.fine
  const program = programOf(world.terminal, async (work, { endsItself } = { endsItself: false }) => {
    const session = new Session(world, program.opts<GlobalFlags>())
    try {
      const working = work(session)
      const report = await (endsItself ? working : Promise.race([working, interruption(world.signal)]))
      exit = present(report, session.terminal, session.json)
    } finally {
      await session.close()
    }
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return exit
  } catch (error) {
    // It has written what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.fine : exitCode.wrongUse
    return tell(error, world, words.includes('--json'))
  }
}

async function interruption(signal: AbortSignal): Promise<never> {
  await whenAborted(signal)
  throw signal.reason
}

function tell(error: unknown, { terminal, signal }: World, json: boolean): ExitCode {
  const { exit, code, message } = failureOf(error, signal)
  if (json) terminal.writeError(`${printableJson({ error: { code, message } })}\n`)
  else terminal.writeError(`tidemark: ${printableLines(message)}\n`)
  if (exit === exitCode.defect && !json) terminal.writeError(`${printableLines(thrownText(error).stack)}\n`)
  return exit
}
