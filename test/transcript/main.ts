/** `npm run transcript`: writes docs/guides/log-transcript.md anew. */
import { writeFileSync } from 'node:fs'
import { pageOf, playTranscript } from './transcript.js'

const chapters = await playTranscript()
writeFileSync(new URL('../../docs/guides/log-transcript.md', import.meta.url), pageOf(chapters))
for (const { title, lines } of chapters) console.log(`${title}: ${lines.length} lines`)
