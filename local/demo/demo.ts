/** The demo page of `npm start`: one person, one Liveboard, and what the broker does for them, to look at. */
import { showAudit } from './audit.ts';
import { startBoard } from './board.ts';
import { byId, say } from './element.ts';
import { showLeases } from './leases.ts';
import { addresses, leases, output, users } from './local-api.ts';
import { showSwitches } from './switches.ts';
import { showTraffic } from './traffic.ts';
import { showUse } from './use.ts';
import { chosen, showWho } from './who.ts';

const EVERY_MS = 1_000;
/** Lines of output: a busy minute of them. */
const LINES = 1_000;

async function start(): Promise<void> {
  const [people, where] = await Promise.all([users(), addresses()]);
  const choice = chosen(people);
  if (where.simulator === undefined)
    byId('about').textContent = `Tokens come from the real cluster ${where.thoughtspot}.`;
  const board = startBoard(choice, where.thoughtspot);
  showUse(choice, where);
  let org: number | undefined;
  board.tokens.subscribe((state) => (org = state.orgId ?? org));
  showWho(people, choice, () => void board.signOut().catch((error: Error) => say(error.message)));
  const [drawLeases, drawTraffic, drawAudit] = [showLeases(choice.user, () => org), showTraffic(), showAudit()];
  await showSwitches(where.simulator);

  const look = async (): Promise<void> => {
    board.tick();
    if (document.visibilityState === 'hidden') return;
    const [live, lines] = await Promise.all([leases(), output(LINES)]);
    drawLeases(live);
    drawTraffic(lines);
    drawAudit(lines);
  };
  let lost = false;
  for (;;) {
    await look().then(
      () => {
        if (lost) say('');
        lost = false;
      },
      (error: Error) => {
        lost = true;
        say(error.message);
      },
    );
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

start().catch((error: Error) => say(error.message));
