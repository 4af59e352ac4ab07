/** What can be made to go wrong at the simulated ThoughtSpot, and the sweep, which otherwise comes once a minute. */
import { byId, element, say } from './element.ts';
import { DEFAULT_SWITCHES, type Switches } from '../thoughtspot/switches.ts';
import { simulatorAt, sweep, type SimulatorControl } from './local-api.ts';

interface Toggle {
  readonly label: string;
  readonly hint: string;
  /** The switches that it sets; off, they are as the simulator starts with them. */
  readonly on: Partial<Switches>;
}

const TOGGLES: readonly Toggle[] = [
  { label: 'Slow', hint: '1.5 s before every answer', on: { latencyMs: 1_500 } },
  { label: 'Outage', hint: 'every call is answered 503', on: { outage: 'error', outageStatus: 503 } },
  { label: 'Too many requests', hint: 'every call is answered 429', on: { outage: 'error', outageStatus: 429 } },
  { label: 'Maintenance page', hint: 'HTML instead of JSON', on: { maintenancePage: true } },
  { label: 'Wrong user', hint: 'mints are for bob', on: { wrongUser: 'bob' } },
];

async function attempt(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    say(`${what}.`);
  } catch (error) {
    say(`${what} failed. ${error instanceof Error ? error.message : String(error)}`);
  }
}

function toggle(simulator: SimulatorControl, { label, hint, on }: Toggle, now: Switches): HTMLElement {
  const names = Object.keys(on) as (keyof Switches)[];
  const isOn = names.every((name) => now[name] === on[name]);
  const off = Object.fromEntries(names.map((name) => [name, DEFAULT_SWITCHES[name]]));
  const input = element('input', {
    type: 'checkbox',
    role: 'switch',
    ...(isOn ? { checked: true } : {}),
    change: () => {
      const { checked } = input;
      void attempt(`${label} ${checked ? 'on' : 'off'}`, async () => {
        draw(simulator, await simulator.set(checked ? on : off), label);
      });
    },
  });
  return element(
    'label',
    { class: 'switch' },
    input,
    element('span', {}, label),
    element('span', { class: 'note' }, hint),
  );
}

function draw(simulator: SimulatorControl, now: Switches, focus?: string): void {
  const toggles = TOGGLES.map((one) => toggle(simulator, one, now));
  byId('switches').replaceChildren(
    element('h2', { id: 'switches-title' }, 'Make ThoughtSpot fail'),
    element('div', { class: 'toggles' }, ...toggles),
    element(
      'div',
      { class: 'row' },
      element(
        'button',
        {
          type: 'button',
          click: () => {
            const what = 'Key rotated: the secret still has the old one, so new tokens are refused';
            void attempt(what, () => simulator.rotateKey());
          },
        },
        'Rotate the key',
      ),
      sweepButton(),
    ),
  );
  const index = TOGGLES.findIndex(({ label }) => label === focus);
  toggles[index]?.querySelector('input')?.focus();
}

function sweepButton(): HTMLElement {
  return element('button', { type: 'button', click: () => void attempt('Sweep done', sweep) }, 'Sweep now');
}

/** Draws the switches, or, where ThoughtSpot is real, what is there instead. */
export async function showSwitches(simulator: string | undefined): Promise<void> {
  if (simulator !== undefined) return draw(simulatorAt(simulator), await simulatorAt(simulator).switches());
  byId('switches').replaceChildren(
    element('h2', { id: 'switches-title' }, 'A real cluster'),
    element('p', {}, 'Tokens come from a real ThoughtSpot cluster, which this page cannot make fail.'),
    element('div', { class: 'row' }, sweepButton()),
  );
}
