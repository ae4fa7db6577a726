import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export const run = promisify(execFile)

/** Ends with one clear line when a command is missing. */
export async function requireCommand(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch((cause: unknown) => {
    throw new Error(
      `The Kafka tests need ${command === 'mvn' ? 'Maven (mvn)' : `Java 17 (${command})`}, which was not found: ` +
        'install Java 17 and Maven (Debian: apt-get install openjdk-17-jdk-headless maven), ' +
        'or run only what needs neither: npm test.',
      { cause },
    )
  })
}
