"""An SFTP server on this machine: asyncssh's, which shares no code with the client."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import asyncssh


class Server:
    """Serves one folder to one user, in a thread of its own."""

    def __init__(self, root: Path, keys: Path, user: str = "clinic", password: str = "zqx-password") -> None:
        self.root, self.user, self.password = root, user, password
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key_path = keys / "client_key"
        self.client_key.write_private_key(str(self.client_key_path))
        self.password_path = keys / "password"
        self.password_path.write_text(f"{password}\n")
        self.known_hosts = keys / "known_hosts"
        self.accepted = 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener = self._run(self._listen())
        self.port = self.listener.get_port()
        self.trust(self.host_key)

    def trust(self, key: asyncssh.SSHKey) -> None:
        """What known_hosts says of this server."""
        public = key.export_public_key().decode().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _listen(self):
        outer = self

        class Login(asyncssh.SSHServer):
            def connection_made(self, conn):
                outer.accepted += 1

            def password_auth_supported(self):
                return True

            def validate_password(self, username, password):
                return (username, password) == (outer.user, outer.password)

            def public_key_auth_supported(self):
                return True

            def validate_public_key(self, username, key):
                return username == outer.user and key == outer.client_key.convert_to_public()

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel):
                super().__init__(channel, chroot=str(outer.root))

        return await asyncssh.listen("127.0.0.1", 0, server_host_keys=[self.host_key], server_factory=Login, sftp_factory=Files)

    def close(self) -> None:
        async def stop():
            self.listener.close()
            await self.listener.wait_closed()

        self._run(stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
