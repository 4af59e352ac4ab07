import { TokenBoundary, TokenBroker, useToken } from '@thoughtspot-token-broker/client/react';
import { LiveboardEmbed } from '@thoughtspot/visual-embed-sdk/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './page.css';
import { startSdk, tokens } from './tokens';

const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';

function Bar() {
  const { status, userName, signOut, signIn } = useToken();
  return (
    <header>
      <h1>Sales</h1>
      <p role="status">{userName === undefined ? status : `${userName}: ${status}`}</p>
      {status === 'signed-out' ? (
        <button onClick={() => (signIn(), void tokens.getAuthToken())}>Sign in</button>
      ) : (
        <button onClick={() => void signOut()}>Sign out</button>
      )}
    </header>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <TokenBroker tokens={tokens} start={startSdk}>
      <Bar />
      <TokenBoundary
        loading={<p className="note">One moment …</p>}
        fallback={(problem, retry) => (
          <div className="note">
            <p>{problem ? `No board: ${problem.code}` : 'ThoughtSpot does not answer.'}</p>
            <button onClick={retry}>Try again</button>
          </div>
        )}
      >
        <LiveboardEmbed liveboardId={LIVEBOARD} frameParams={{ width: '100%', height: '900px' }} />
      </TokenBoundary>
    </TokenBroker>
  </StrictMode>,
);
