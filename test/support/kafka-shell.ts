import { spawn } from 'node:child_process'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { KafkaInstallation } from './kafka-jars.js'
import { dieWithUs, removeWithUs } from './reaper.js'

const mainClasses = {
  'kafka-configs.sh': 'kafka.admin.ConfigCommand',
  'kafka-consumer-groups.sh': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-reassign-partitions.sh': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
}

/** Runs a command line as a person would who has Kafka's scripts, to its end; rejects with what it said unless it ends well. */
export async function runKafkaCommand(
  { classpath, quickStartFlags }: KafkaInstallation,
  line: string,
): Promise<string> {
  const scripts = await mkdtemp(join(tmpdir(), 'tidemark-scripts-'))
  removeWithUs(scripts)
  for (const [name, mainClass] of Object.entries(mainClasses)) {
    const script = `#!/bin/bash\nexec java ${quickStartFlags.join(' ')} -Dtidemark.log=/dev/null -cp '${classpath}' ${mainClass} "$@"\n`
    await writeFile(join(scripts, name), script)
    await chmod(join(scripts, name), 0o755)
  }
  const env = { ...process.env, PATH: `${scripts}${delimiter}${process.env['PATH']}` }
  const child = spawn('bash', ['-c', line], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  dieWithUs(child)
  let output = ''
  const take = (chunk: Buffer): void => void (output += chunk.toString())
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`${line}: exit ${code}\n${output}`)
  return output
}
