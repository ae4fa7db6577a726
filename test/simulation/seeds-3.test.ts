import { expectSeeds } from './expect-seeds.js'

expectSeeds(61, 30)
