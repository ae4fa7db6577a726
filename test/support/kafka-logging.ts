import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run-command.js'

const log4jProperties = `log4j.rootLogger=WARN, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.File=\${tidemark.log}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%d{HH:mm:ss.SSS} %p %m (%c)%n
`

const log4j2Properties = `rootLogger.level=WARN
rootLogger.appenderRef.file.ref=file
appender.file.type=File
appender.file.name=file
appender.file.fileName=\${sys:tidemark.log:-/dev/null}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{HH:mm:ss.SSS} %p %m (%c)%n
`

/** Logs go to the file that the system property `tidemark.log` names. Settings travel as a jar: a class archive takes no folders. */
export async function writeLoggingJar(folder: string): Promise<void> {
  const settings = join(folder, 'logging')
  await mkdir(settings)
  await writeFile(join(settings, 'log4j.properties'), log4jProperties)
  await writeFile(join(settings, 'log4j2.properties'), log4j2Properties)
  await run('jar', ['cf', join(folder, 'lib', 'tidemark-logging.jar'), '-C', settings, '.'])
}
